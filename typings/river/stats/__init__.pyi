from river.stats.mean import Mean as Mean
