"""Which files of a folder are images, masks, splits and patients: from their names, places and content."""
