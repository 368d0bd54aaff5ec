// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras} from "../interfaces/IWalras.sol";
import {COST_GAS, LOT_BITS, MAX_TERMS, MAX_WEIGHT, SHADOW_BYTES, STEP_GAS, TERM_GAS} from "./Constants.sol";
import {Curve} from "./Curve.sol";
import {Reasons} from "./Reasons.sol";
import {Input, Reading, Submission} from "./Submission.sol";
import {Wire} from "./Wire.sol";

/// @dev Costs: demand curves over combinations s = Σ g·y of a submission's auths, each with a shadow price λ. docs/SPEC.md §2, §3 and §7.
library Costs {
    uint256 internal constant HEAD = 3; // {byte} nTerms, nBuy, nSell

    struct Cost {
        Curve.Data curve;
        uint256 terms; // memory address
        uint256 end; // of the terms
        int256 shadow; // {cash X84} λ
        int256 excess; // {X44} s − S
        uint256 tolerance; // {ulp} c
        uint256 most; // {ulp} C, tolerance if all auths were sloped
    }

    /// @dev Memory of a coupled submission; what is in it is written before it is read. A link is what costs do to an auth, shift = Σ g·λ {cash X84}
    /// and guard = G, and behind them its {Curve-Data}.
    struct Data {
        Cost[] costs;
        uint256 links; // address
        uint256 room; // for so many links
    }

    uint256 private constant LINK_SIZE = 352; // {byte}

    /// @dev Rule 4. @return start address of the first cost
    function read(Reading memory r, Input memory input, uint256 pos) internal pure returns (uint256 start) {
        unchecked {
            (uint256 end, uint256 auths, uint256 costs) = (input.end, r.auths, r.costs);
            for (uint256 j; j != auths; ++j) {
                if (pos + Submission.AUTH_HEAD > end) return Submission.quit(r, Reasons.MALFORMED);
                pos += Submission.authSize(Wire.load(pos) >> 224);
                if (pos > end) return Submission.quit(r, Reasons.MALFORMED);
            }
            start = pos;
            _clear(r.coupling, costs, auths);
            for (uint256 d; d != costs; ++d) {
                pos = _cost(r, input, pos, d);
                if (pos == 0) return 0;
            }
            if (pos != end) return Submission.quit(r, Reasons.MALFORMED);
        }
    }

    function _clear(Data memory data, uint256 costs, uint256 auths) private pure {
        unchecked {
            if (costs > data.costs.length) data.costs = new Cost[](costs);
            if (auths > data.room) {
                // twice what there was, so that all that is left behind is no more than what is used
                uint256 room = 2 * data.room;
                if (room < auths) room = auths;
                data.room = room;
                uint256 links;
                uint256 size = LINK_SIZE * room;
                assembly ("memory-safe") {
                    links := mload(0x40)
                    mstore(0x40, add(links, size))
                }
                data.links = links;
            }
            for (uint256 link = data.links; auths != 0; --auths) {
                Wire.clear(link, 64);
                link += LINK_SIZE;
            }
        }
    }

    /// @return address of the link of an auth
    function linkOf(Data memory data, uint256 j) internal pure returns (uint256) {
        unchecked {
            return data.links + LINK_SIZE * j;
        }
    }

    /// @return next behind the cost
    function _cost(Reading memory r, Input memory input, uint256 pos, uint256 d) private pure returns (uint256 next) {
        unchecked {
            if (pos + HEAD > input.end) return Submission.quit(r, Reasons.MALFORMED);
            uint256 head = Wire.load(pos) >> 232;
            uint256 terms = head >> 16;
            uint256 buys = (head >> 8) & 255;
            uint256 sells = head & 255;
            pos += HEAD;
            uint256 end = pos + Wire.TERM_BYTES * terms;
            next = end + Curve.size(buys, sells);
            bool bad = Wire.either(Curve.shapeless(buys, sells), terms - 1 >= MAX_TERMS);
            if (Wire.either(next > input.end, bad)) return Submission.quit(r, Reasons.MALFORMED);
            r.gas += COST_GAS + TERM_GAS * terms + STEP_GAS * (buys + sells);
            if (r.gas > r.gasLimit) return Submission.quit(r, Reasons.OVERSIZED);
            Cost memory c = r.coupling.costs[d];
            int256 shadow =
                d < input.shadowCount ? int256(Wire.load(input.shadows + SHADOW_BYTES * d)) >> 96 : int256(0);
            (c.terms, c.end, c.shadow) = (pos, end, shadow);
            uint256 gross = _terms(r.coupling, pos, end, r.auths, shadow);
            if (gross == 0 || !Curve.read(c.curve, end, head & 65_535, shadow, gross, 1)) {
                return Submission.quit(r, Reasons.MALFORMED);
            }
            c.most = 2 + gross + terms;
        }
    }

    /// @return gross Γ, 0 if the terms are malformed
    function _terms(Data memory data, uint256 pos, uint256 end, uint256 auths, int256 shadow)
        private
        pure
        returns (uint256 gross)
    {
        uint256 links = data.links;
        uint256 size_ = LINK_SIZE;
        uint256 most = MAX_WEIGHT;
        assembly ("memory-safe") {
            let next := 0
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let word := mload(pos)
                let index := byte(0, word)
                let factor := sar(232, shl(8, word))
                let sign := sar(255, factor)
                let size := sub(xor(factor, sign), sign)
                if or(or(lt(index, next), iszero(lt(index, auths))), iszero(lt(sub(size, 1), most))) {
                    gross := 0
                    break
                }
                next := add(index, 1)
                gross := add(gross, size)
                let link := add(links, mul(size_, index))
                mstore(link, add(mload(link), mul(factor, shadow))) // 16 of 2^20·2^159
                link := add(link, 32)
                mstore(link, add(mload(link), size))
            }
        }
    }

    /// @dev Combinations, cover and sums of all costs once the auths are read.
    function weigh(Reading memory r) internal pure {
        unchecked {
            uint256 cover = r.cover + r.auths; // the payment of each rounds up
            (Data memory data, uint256 count) = (r.coupling, r.costs);
            for (uint256 d; d != count; ++d) {
                Cost memory c = data.costs[d];
                (uint256 bought, uint256 sold) = _sum(data.links, c);
                (Curve.Data memory curve, uint256 most, int256 excess) = (c.curve, c.most, c.excess);
                cover += _coverUp(curve, bought, sold, most);
                (int256 bottom, int256 top) = (curve.bottom, curve.top);
                uint256 span = uint256(top - bottom) >> LOT_BITS;
                r.costSpan += 4 * most * span; // < 2^27·2^113
                r.loss += curve.loss;
                if (c.shadow != (excess > 0 ? bottom : top)) {
                    r.costLoss += Wire.abs(excess) * span; // < 2^117·2^113
                }
            }
            r.cover = cover;
        }
    }

    /// @return bought {X44} sMax
    /// @return sold {X44} sMin
    function _sum(uint256 links, Cost memory c) private pure returns (uint256 bought, uint256 sold) {
        unchecked {
            (uint256 pos, uint256 end, uint256 size) = (c.terms, c.end, LINK_SIZE);
            int256 sum;
            uint256 tolerance = 2;
            links += 64; // to the curves
            assembly ("memory-safe") {
                for {} lt(pos, end) { pos := add(pos, 4) } {
                    let word := mload(pos)
                    let curve := add(links, mul(size, byte(0, word)))
                    let factor := sar(232, shl(8, word))
                    sum := add(sum, mul(factor, mload(add(curve, 64)))) // rate; < 2^20·2^92
                    let sign := sar(255, factor)
                    factor := sub(xor(factor, sign), sign)
                    sign := and(sign, 32)
                    bought := add(bought, mul(factor, mload(add(add(curve, 160), sign))))
                    sold := add(sold, mul(factor, mload(sub(add(curve, 192), sign))))
                    tolerance := add(tolerance, mul(add(factor, 1), mload(add(curve, 96)))) // if sloped
                }
            }
            (c.excess, c.tolerance) = (sum - c.curve.rate, tolerance);
        }
    }

    /// @dev Cash that λ·s moves between the auths' own values and their payments is at most: the curve's own, λ = bottom > 0 with all that can be bought
    /// beyond it, λ = top < 0 with all that can be sold; and what s may be off.
    function _coverUp(Curve.Data memory c, uint256 bought, uint256 sold, uint256 most) private pure returns (uint256) {
        unchecked {
            if (c.bottom <= 0 || bought < c.buy) bought = c.buy;
            if (c.top >= 0 || sold < c.sell) sold = c.sell;
            uint256 pay = c.bid > 0 ? _valueUp(uint256(c.bid), bought) : 0;
            uint256 payToSell = c.ask < 0 ? _valueUp(uint256(-c.ask), sold) : 0;
            uint256 high = Wire.abs(c.top);
            uint256 low = Wire.abs(c.bottom);
            // the ends are whole X40 prices
            return (pay > payToSell ? pay : payToSell) + _valueUp((high > low ? high : low) >> LOT_BITS, most);
        }
    }

    /// @dev [C-5] A cost clears iff s lies on its own curve at λ. p and λ rounded to X84 move π by at most (W + G)/2; the slope of D is at most 1/(W + G)²
    /// per X84 unit, so D moves by at most 1/(2(W + G)) ulp and s by at most half an ulp for each sloped auth, whose floor takes less than |g| more. The
    /// floor of S takes less than an ulp, and λ's rounding moves it by at most 1/(2Γ²): together less than c = 2 + Σ_(sloped) (|g| + 1). Above its curve
    /// the marginal value stays at `bottom`, so there any s ≥ S is best at λ = bottom; below it any s ≤ S at λ = top.
    ///     bottom ≤ λ ≤ top      s ≤ S + c unless λ = bottom      s ≥ S − c unless λ = top
    function check(Reading memory r, address owner) internal pure {
        unchecked {
            (Cost[] memory costs, uint256 count) = (r.coupling.costs, r.costs);
            for (uint256 d; d != count; ++d) {
                Cost memory c = costs[d];
                (Curve.Data memory curve, int256 shadow, int256 excess) = (c.curve, c.shadow, c.excess);
                if (Wire.either(shadow < curve.bottom, shadow > curve.top)) {
                    revert IWalras.ShadowOutOfRange(owner, d, shadow);
                }
                uint256 tolerance = c.tolerance;
                if (Wire.abs(excess) <= tolerance) continue;
                int256 excused = excess > 0 ? curve.bottom : curve.top;
                if (shadow != excused) revert IWalras.CostNotCleared(owner, d, excess, tolerance);
            }
        }
    }

    function _valueUp(uint256 price, uint256 quantity) private pure returns (uint256) {
        unchecked {
            return (price * quantity + (1 << LOT_BITS) - 1) >> LOT_BITS;
        }
    }
}
