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
    int256 internal constant LAST_PRICE = -MAX_CURVE_PRICE << LOT_BITS; // {cash X84}

    struct Data {
        int256 bid; // {cash X40} best, the ask if there are no buy steps
        int256 ask; // {cash X40} best, the bid if there are no sell steps
        int256 rate; // {portfolio unit X44} demanded, toward zero on either side
        bool sloped; // within the window of a slope
        uint256 loss; // {cash X40 / portfolio unit^2} slopes the price lies on, rounded up
        uint256 buy; // {portfolio unit X44} sum of widths
        uint256 sell; // {portfolio unit X44}
        int256 bottom; // {cash X84} price at the far end of the buy side
        int256 top; // {cash X84} and of the sell side
    }

    /// @return length {byte} of a curve
    function size(uint256 buys, uint256 sells) internal pure returns (uint256 length) {
        assembly ("memory-safe") {
            let gap := mul(GAP_BYTES, gt(mul(buys, sells), 0)) // between two sides
            length := add(add(FIRST_BYTES, gap), mul(STEP_BYTES, add(buys, sells)))
        }
    }

    function shapeless(uint256 buys, uint256 sells) internal pure returns (bool) {
        unchecked {
            return Wire.either(Wire.either(buys > MAX_STEPS, sells > MAX_STEPS), buys + sells == 0);
        }
    }

    /// @param c result, overwritten
    /// @param pos memory address of the curve
    /// @param counts of steps: buy u8 ‖ sell u8
    /// @param pi {cash X84} price, |pi| < 2^184
    /// @param window {X84} W + G of an auth, Γ of a cost: at most 2^25
    /// @param least {cash X40} fall of a step
    /// @return whether the curve is well-formed
    function read(Data memory c, uint256 pos, uint256 counts, int256 pi, uint256 window, uint256 least)
        internal
        pure
        returns (bool)
    {
        unchecked {
            (c.loss, c.sloped) = (0, false);
            if (Wire.both(counts > 255, counts & 255 != 0)) return _both(c, pos, counts, pi, window, least);
            // a buyer's side is read as it is, a seller's mirrored
            uint256 sells;
            int256 sign;
            int256 first;
            assembly ("memory-safe") {
                first := sar(128, mload(pos))
                mstore(c, first) // bid
                mstore(add(c, 32), first) // ask
                sells := lt(counts, 256)
                sign := sub(1, shl(1, sells))
                counts := add(shr(8, counts), and(counts, 255))
            }
            (uint256 rate, uint256 total, int256 last) =
                side(c, pos + FIRST_BYTES, counts, ((first << LOT_BITS) - pi) * sign, window, least);
            last += pi * sign;
            assembly ("memory-safe") {
                mstore(add(c, 64), mul(rate, sign))
                sells := shl(5, sells)
                let at := add(c, sells)
                mstore(add(at, 160), shl(44, total)) // buy or sell
                mstore(add(at, 224), mul(last, sign)) // bottom or top
                at := sub(c, sells)
                mstore(add(at, 192), 0) // and the other
                mstore(add(at, 256), shl(44, first))
            }
            return !Wire.either(Wire.either(last < LAST_PRICE, total > MAX_RATE), _tooLarge(first));
        }
    }

    /// @dev A curve of two sides.
    function _both(Data memory c, uint256 pos, uint256 counts, int256 pi, uint256 window, uint256 least)
        private
        pure
        returns (bool)
    {
        unchecked {
            int256 bid = int256(Wire.load(pos)) >> 128;
            pos += FIRST_BYTES;
            int256 ask = bid + int256(Wire.load(pos) >> 144); // bid ≤ ask
            pos += GAP_BYTES;
            (c.bid, c.ask) = (bid, ask);
            uint256 steps = counts >> 8;
            (uint256 rate, uint256 total, int256 left) = side(c, pos, steps, (bid << LOT_BITS) - pi, window, least);
            left += pi;
            (c.buy, c.bottom) = (total << LOT_BITS, left);
            bool bad = Wire.either(total > MAX_RATE, left < LAST_PRICE);
            pos += STEP_BYTES * steps;
            uint256 sold;
            (sold, total, left) = side(c, pos, counts & 255, pi - (ask << LOT_BITS), window, least);
            c.rate = int256(rate) - int256(sold);
            left = pi - left;
            (c.sell, c.top) = (total << LOT_BITS, left);
            bad = Wire.either(bad, Wire.either(total > MAX_RATE, left > -LAST_PRICE));
            return !Wire.either(bad, Wire.either(bid < -MAX_CURVE_PRICE, ask > MAX_CURVE_PRICE));
        }
    }

    function _tooLarge(int256 price) private pure returns (bool) {
        unchecked {
            return uint256(price + MAX_CURVE_PRICE) > uint256(2 * MAX_CURVE_PRICE);
        }
    }

    /// @param c where loss and sloped of the curve are added to
    /// @param pos memory address of `steps` steps, at least one, width u48 ‖ increment u112
    /// @param reach {cash X84} first price less pi, |first price| ≤ 2^156
    /// @return rate {portfolio unit X44} demanded, toward zero
    /// @return total {portfolio unit} sum of widths
    /// @return left {cash X84} price at the far end less pi
    /// Widths: a step falls by less than 2^112 + 2^98, so |reach| < 2^185 throughout; within a step reach ≤ fall < 2^157, reach·width < 2^205.
    function side(Data memory c, uint256 pos, uint256 steps, int256 reach, uint256 window, uint256 least)
        internal
        pure
        returns (uint256 rate, uint256 total, int256 left)
    {
        left = reach;
        assembly ("memory-safe") {
            mstore(0, c) // the stack has no room for it
            let square := mul(window, window)
            let end := add(pos, mul(20, steps))
            for {} 1 {} {
                let width := mload(pos)
                let drop := shr(144, shl(48, width))
                width := shr(208, width)
                let sloping := mul(square, width)
                drop := add(drop, xor(sloping, mul(xor(sloping, least), lt(sloping, least)))) // the larger of the two
                total := add(total, width)
                reach := left
                left := sub(left, shl(44, drop))
                pos := add(pos, 20)
                switch slt(left, window)
                case 0 { rate := add(rate, shl(44, width)) } // all of the step, and not near its far end
                default {
                    // neither beyond the step and the window before it, nor without width
                    if mul(sgt(add(reach, window), 0), width) {
                        let slope := mload(0)
                        mstore(add(slope, 96), 1) // sloped
                        if sgt(reach, 0) {
                            switch slt(left, 0)
                            case 0 { rate := add(rate, shl(44, width)) }
                            default {
                                rate := add(rate, div(mul(reach, width), drop)) // down: toward zero
                                slope := add(slope, 128) // strictly inside: loss, up
                                mstore(slope, add(mload(slope), div(add(drop, sub(width, 1)), width)))
                            }
                        }
                    }
                }
                if iszero(lt(pos, end)) { break }
            }
        }
    }

    /// @dev What {side} returns for a price beyond all of it, with a window of 1: no rate, no slope.
    /// @param steps at least one
    function beyond(uint256 pos, uint256 steps, int256 first, uint256 least)
        internal
        pure
        returns (uint256 total, int256 last)
    {
        assembly ("memory-safe") {
            let end := add(pos, mul(20, steps))
            for {} 1 {} {
                let word := mload(pos)
                let width := shr(208, word)
                total := add(total, width)
                if lt(width, least) { width := least }
                first := sub(first, add(width, shr(144, shl(48, word))))
                pos := add(pos, 20)
                if eq(pos, end) { break }
            }
            last := shl(44, first)
        }
    }
}
