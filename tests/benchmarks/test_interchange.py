"""The objects that are measured are what the figures say they are."""

from __future__ import annotations

import numpy as np
import pytest
from interchange import draw_ellipses, measure

from amsunet.inference.objects import find_objects


def test_each_form_is_written_and_read_back(tmp_path):
    pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')
    mask = draw_ellipses()
    assert len(find_objects(mask)) == 661
    assert len(np.unique(find_objects(1 - mask).classes)) == 1
    few = find_objects(draw_ellipses(6, (136, 192)))
    assert len(few) == 6
    rows = measure(few, tmp_path, 1)
    assert [*rows] == ["labels", "geojson", "rois", "coco"]
    assert all(row["same_objects"] and row["bytes"] for row in rows.values())
