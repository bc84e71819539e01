"""The comparison of a table's graph with torch: what it asks for, and what it takes for the same."""

from typing import Any

import numpy as np
import pytest
import torch

from ecgsynth.export import table_to_onnx
from ecgsynth.export.kinds import MISSING_WHOLE
from ecgsynth.export.table_to_onnx import alike, differing_rows

pytestmark = pytest.mark.trains


@pytest.mark.parametrize("categories", [1, 2, 7])
def test_it_asks_for_each_category_alike_and_mostly_for_none(categories: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def run(self, outputs: list[str], fed: dict[str, Any]) -> list[Any]:
            seen.append(fed["asked_0"])
            return [np.zeros(len(fed["asked_0"]))]

    seen: list[Any] = []
    monkeypatch.setattr(table_to_onnx, "PARITY_BATCHES", (100_000,))
    monkeypatch.setattr(table_to_onnx.onnxruntime, "InferenceSession", lambda *args, **kwargs: Session())
    given = []

    def sampler(uniform: torch.Tensor, codes: torch.Tensor) -> tuple[torch.Tensor]:
        given.append(codes.numpy())
        return (torch.zeros(len(codes)),)

    assert differing_rows(sampler, 1, {"asked_0": categories}, {"column_0": True}, b"") == 0
    assert (given[0] == seen[0]).all()  # both are asked for the same
    shares = np.bincount(seen[0] + 1, minlength=categories + 1) / len(seen[0])
    assert seen[0].dtype == np.int64
    assert shares == pytest.approx([0.7, *[0.3 / categories] * categories], abs=0.006)


@pytest.mark.parametrize(
    ("got", "wanted", "coded", "same"),
    [
        ([0, 1, -1], [0, 2, -1], True, [True, False, True]),
        ([0, 1, 9], [0, 2, 7], False, [True, True, False]),  # a whole number may round to the other side
        ([0, 10**7 + 900, 10**7], [0, 10**7, 10**7 - 2000], False, [True, True, False]),
        ([MISSING_WHOLE, MISSING_WHOLE, 3], [MISSING_WHOLE, 3, MISSING_WHOLE], False, [True, False, False]),
        ([MISSING_WHOLE] * 3, [MISSING_WHOLE] * 3, False, [True] * 3),
        ([0.0, 1.00005, np.nan], [0.0, 1.0, np.nan], False, [True, True, True]),
        ([0.0, 1.001, np.nan], [0.0, 1.0, 0.0], False, [True, False, False]),
    ],
)
def test_what_is_the_same(got: list[Any], wanted: list[Any], coded: bool, same: list[bool]) -> None:
    assert alike(np.array(got), np.array(wanted), coded=coded).tolist() == same
