"""Map tiles of servers and windows of rasters as a data set, divided by area: `make.make_tiles`."""
