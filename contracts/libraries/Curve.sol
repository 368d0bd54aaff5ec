// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LOT_BITS, MAX_CURVE_PRICE, MAX_RATE} from "./Constants.sol";

/// @dev One side of a demand curve, read outward from rate 0 as a buyer's; a seller's side is the buyer's of (-price, -pi). docs/SPEC.md §3.
library Curve {
    uint256 internal constant STEP_BYTES = 20;

    struct Side {
        uint256 rate; // {portfolio unit X44} demanded, toward zero
        uint256 total; // {portfolio unit} sum of widths
        uint256 loss; // {cash X40 / portfolio unit^2} slope the price lies on, rounded up
        bool sloped; // within the window of a slope
        bool valid;
    }

    /// @param side result, overwritten
    /// @param pos memory address of `steps` steps, width u48 ‖ increment u112
    /// @param first {cash X40} price at rate 0, |first| ≤ 2^112
    /// @param pi {cash X84} portfolio price, |pi| < 2^162
    /// @param gross {lot} W
    /// @param tau {cash X40} least fall of a step
    /// Widths: a step falls by less than 2^112 + 2^96, so |price X84| < 2^162 throughout; (top - pi)·width < 2^162·2^48 = 2^210.
    function demand(Side memory side, uint256 pos, uint256 steps, int256 first, int256 pi, uint256 gross, uint256 tau)
        internal
        pure
    {
        unchecked {
            (side.rate, side.total, side.loss, side.sloped, side.valid) = (0, 0, 0, false, true);
            if (steps == 0) return;
            uint256 square = gross * gross;
            int256 top = first << LOT_BITS;
            for (; steps != 0; --steps) {
                uint256 word;
                assembly ("memory-safe") {
                    word := mload(pos)
                }
                pos += STEP_BYTES;
                uint256 width = word >> 208;
                uint256 drop = square * width;
                if (drop < tau) drop = tau;
                drop += (word >> 96) & type(uint112).max;
                int256 bottom = top - int256(drop << LOT_BITS);
                if (width != 0) {
                    side.total += width;
                    if (pi <= bottom) {
                        side.rate += width << LOT_BITS;
                    } else if (pi < top) {
                        side.rate += (uint256(top - pi) * width) / drop; // down: toward zero
                        side.loss += (drop + width - 1) / width; // up
                    }
                    if (pi > bottom - int256(gross) && pi < top + int256(gross)) side.sloped = true;
                }
                top = bottom;
            }
            side.valid = side.total <= MAX_RATE && top >= -(MAX_CURVE_PRICE << LOT_BITS);
        }
    }
}
