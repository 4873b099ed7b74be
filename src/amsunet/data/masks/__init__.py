"""What the values of masks mean: found from all files of a data set, or refused where it would be a guess."""

from amsunet.data.masks.convention import IGNORE_INDEX as IGNORE_INDEX
from amsunet.data.masks.convention import MaskConvention as MaskConvention
from amsunet.data.masks.convention import name_numbers as name_numbers
from amsunet.data.masks.convention import name_value as name_value
from amsunet.data.options import MaskOptions as MaskOptions
