# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from anygrasp_perception.network.matmul import (
    CHUNK_ROWS,
    fast_float32,
    matmul_rows,
    padded_rows,
    scratch,
    weight_gradient,
)


def precision():
    return torch.backends.mkldnn.matmul.fp32_precision


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 63, 64, 500, CHUNK_ROWS, 2 * CHUNK_ROWS + 3])
def test_products_in_chunks_are_products(count, dtype):
    generator = torch.Generator().manual_seed(count)
    x, y = (torch.randn(count, width, generator=generator, dtype=dtype) for width in (7, 5))
    weight = torch.randn(7, 5, generator=generator, dtype=dtype)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(matmul_rows(x, weight), x @ weight, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(weight_gradient(x, y), x.t() @ y, atol=tolerance, rtol=tolerance)


def test_row_counts_repeat():
    sizes = {padded_rows(count) for count in range(1, CHUNK_ROWS + 1)}
    assert len(sizes) < 20
    assert all(count <= padded_rows(count) <= CHUNK_ROWS for count in range(1, CHUNK_ROWS + 1))


def test_scratch_is_one_memory_for_a_name_and_type():
    like = torch.zeros(1)
    first = scratch("test", 8, 4, like)
    assert first.shape == (8, 4)
    assert scratch("test", 4, 8, like).data_ptr() == first.data_ptr()
    assert scratch("test", 8, 4, like.double()).dtype == torch.float64
    assert scratch("test", 800, 4, like).shape == (800, 4)
    assert scratch("other", 8, 4, like).data_ptr() != scratch("test", 8, 4, like).data_ptr()


def test_scratch_made_in_inference_serves_training():
    with torch.inference_mode():
        assert not scratch("made in inference", 8, 4, torch.zeros(1)).is_inference()


def test_the_fast_mode_is_put_back():
    before = precision()
    with pytest.raises(RuntimeError, match="inside"), fast_float32():
        raise RuntimeError("inside")
    assert precision() == before


def test_the_fast_mode_lasts_until_the_last_thread_has_left():
    before = precision()
    entered, left = Barrier(2), Barrier(2)

    def stay_longer():
        with fast_float32() as fast:
            entered.wait(timeout=60)
            left.wait(timeout=60)
            return not fast or precision() == "bf16"

    with ThreadPoolExecutor(1) as pool:
        staying = pool.submit(stay_longer)
        with fast_float32():
            entered.wait(timeout=60)
        left.wait(timeout=60)
        assert staying.result(timeout=60)
    assert precision() == before
