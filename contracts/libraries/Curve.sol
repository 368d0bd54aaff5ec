// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LOT_BITS, MAX_CURVE_PRICE, MAX_RATE, MAX_STEPS} from "./Constants.sol";
import {Wire} from "./Wire.sol";

/// @dev Demand curves of auths and of costs. One side is read outward from rate 0 as a buyer's; a seller's side is the buyer's of (-price, -pi).
/// docs/SPEC.md §3.
library Curve {
    uint256 internal constant FIRST_BYTES = 16;
    uint256 internal constant GAP_BYTES = 14;
    uint256 internal constant STEP_BYTES = 20;

    struct Side {
        uint256 rate; // {portfolio unit X44} demanded, toward zero
        uint256 total; // {portfolio unit} sum of widths
        uint256 loss; // {cash X40 / portfolio unit^2} slope the price lies on, rounded up
        bool sloped; // within the window of a slope
        bool valid;
        int256 last; // {cash X84} price at the far end, as mirrored
    }

    struct Data {
        int256 bid; // {cash X40} best, the ask if there are no buy steps
        int256 ask; // {cash X40} best, the bid if there are no sell steps
        Side buy;
        Side sell;
    }

    /// @return {byte} of a curve
    function size(uint256 buys, uint256 sells) internal pure returns (uint256) {
        unchecked {
            return FIRST_BYTES + (buys != 0 && sells != 0 ? GAP_BYTES : 0) + STEP_BYTES * (buys + sells);
        }
    }

    function counts(uint256 buys, uint256 sells) internal pure returns (bool) {
        unchecked {
            return buys <= MAX_STEPS && sells <= MAX_STEPS && buys + sells != 0;
        }
    }

    /// @param c result, overwritten
    /// @param pos memory address of the curve
    /// @return whether the curve is well-formed
    function read(Data memory c, uint256 pos, uint256 buys, uint256 sells, int256 pi, uint256 window, uint256 least)
        internal
        pure
        returns (bool)
    {
        unchecked {
            int256 bid = int256(Wire.load(pos)) >> 128;
            int256 ask = bid;
            pos += FIRST_BYTES;
            if (buys != 0 && sells != 0) {
                ask += int256(Wire.load(pos) >> 144);
                pos += GAP_BYTES;
            }
            if (bid > MAX_CURVE_PRICE || bid < -MAX_CURVE_PRICE || ask > MAX_CURVE_PRICE) return false;
            (c.bid, c.ask) = (bid, ask);
            demand(c.buy, pos, buys, bid, pi, window, least);
            demand(c.sell, pos + STEP_BYTES * buys, sells, -ask, -pi, window, least);
            return c.buy.valid && c.sell.valid;
        }
    }

    /// @param side result, overwritten
    /// @param pos memory address of `steps` steps, width u48 ‖ increment u112
    /// @param first {cash X40} price at rate 0, |first| ≤ 2^112
    /// @param pi {cash X84} price, |pi| < 2^184
    /// @param window {X84} W + G of an auth, Γ of a cost: at most 2^25
    /// @param least {cash X40} fall of a step
    /// Widths: a step falls by less than 2^112 + 2^98, so |price X84| < 2^161 throughout; (top - pi)·width < 2^157·2^48 = 2^205 where it is taken.
    function demand(
        Side memory side,
        uint256 pos,
        uint256 steps,
        int256 first,
        int256 pi,
        uint256 window,
        uint256 least
    ) internal pure {
        unchecked {
            (side.rate, side.total, side.loss, side.sloped, side.valid) = (0, 0, 0, false, true);
            int256 top = first << LOT_BITS;
            uint256 square = window * window;
            for (; steps != 0; --steps) {
                uint256 word = Wire.load(pos);
                pos += STEP_BYTES;
                uint256 width = word >> 208;
                uint256 drop = square * width;
                if (drop < least) drop = least;
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
                    if (pi > bottom - int256(window) && pi < top + int256(window)) side.sloped = true;
                }
                top = bottom;
            }
            side.last = top;
            side.valid = side.total <= MAX_RATE && top >= -(MAX_CURVE_PRICE << LOT_BITS);
        }
    }
}
