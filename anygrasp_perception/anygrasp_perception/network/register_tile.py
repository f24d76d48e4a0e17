# SPDX-License-Identifier: Apache-2.0
"""The innermost loop of the compiled matrix products: a tile of results that stays in registers.

Numba's own loops keep sums in memory and check arrays for overlap in each round, at a third of the speed. So
the loop is given to LLVM directly, in vectors that it maps onto those of the processor: 6 rows of 16 columns
take 12 of the 16 vector registers of AVX2, and leave room for what is multiplied.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "TILE_ROWS", "multiply_tile", "multiply_wide_tile"]

TILE_ROWS = 6
LANES = 8  # float32 numbers of a vector
_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_ALIGNMENT = 4  # bytes: rows begin anywhere


def _tile_of(vectors: int) -> Any:
    """An intrinsic that adds to 6 rows of `vectors` x 8 columns the product of 6 rows with a matrix.

    Its arguments are addresses: of the rows that are read (6 of them, contiguous, `inputs` numbers each), of
    the 6 rows to add to, of the matrix; then how many numbers further its next row begins, and `inputs`, at
    least 1. Nothing is checked.
    """

    def tile(_typing: Any, sources: Any, targets: Any, matrix: Any, stride: Any, inputs: Any) -> Any:
        return types.void(sources, targets, matrix, stride, inputs), emit

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sources, targets, matrix, stride, inputs = arguments
        rows = [_pointer(builder, builder.extract_value(sources, row)) for row in range(TILE_ROWS)]
        results = [_pointer(builder, builder.extract_value(targets, row)) for row in range(TILE_ROWS)]
        matrix = _pointer(builder, matrix)
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
        )
        before = [[_load(builder, result, _INT(LANES * v)) for v in range(vectors)] for result in results]
        entry, loop = builder.block, builder.append_basic_block("tile")
        done = builder.append_basic_block("tile_done")
        builder.branch(loop)

        builder.position_at_end(loop)
        index, place = builder.phi(_INT), builder.phi(_INT)
        sums = [[builder.phi(_VECTOR) for _ in range(vectors)] for _ in range(TILE_ROWS)]
        columns = [_load(builder, matrix, builder.add(place, _INT(LANES * v))) for v in range(vectors)]
        after = []
        for row in range(TILE_ROWS):
            number = builder.load(builder.gep(rows[row], [index]))
            number.align = _ALIGNMENT
            spread = _spread(builder, number)
            after.append([builder.call(fused, [spread, columns[v], sums[row][v]]) for v in range(vectors)])
        next_index, next_place = builder.add(index, _INT(1)), builder.add(place, stride)
        for phi, first, later in [
            (index, _INT(0), next_index),
            (place, _INT(0), next_place),
            *(
                (sums[row][v], before[row][v], after[row][v])
                for row in range(TILE_ROWS)
                for v in range(vectors)
            ),
        ]:
            phi.add_incoming(first, entry)
            phi.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed("<", next_index, inputs), loop, done)

        builder.position_at_end(done)
        for row, result in enumerate(results):
            for v in range(vectors):
                store = builder.store(after[row][v], _vector_at(builder, result, _INT(LANES * v)))
                store.align = _ALIGNMENT
        return context.get_dummy_value()

    return intrinsic(tile)


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _FLOAT.as_pointer())


def _vector_at(builder: Any, base: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer())


def _load(builder: Any, base: Any, offset: Any) -> Any:
    vector = builder.load(_vector_at(builder, base, offset))
    vector.align = _ALIGNMENT
    return vector


def _spread(builder: Any, number: Any) -> Any:
    """A vector with the number in each lane."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(
        one, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


multiply_tile = _tile_of(1)
multiply_wide_tile = _tile_of(2)
