"""The page of a worker at `/`: HTML, styles and scripts that a browser shows, and the live feed that keeps them up to date."""
