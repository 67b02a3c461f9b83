from river.compose.pipeline import Pipeline as Pipeline
