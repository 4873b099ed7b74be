"""Find the images, masks, splits and patients of a data set, by the names, folders and content of its files."""
