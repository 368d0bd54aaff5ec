// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras} from "../interfaces/IWalras.sol";
import {COST_GAS, LOT_BITS, MAX_TERMS, SHADOW_BYTES, STEP_GAS, TERM_GAS} from "./Constants.sol";
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

    uint256 internal constant LINK_SIZE = 352; // {byte}

    /// @dev Rule 4. @return start address of the first cost
    function read(Reading memory r, Input memory input, uint256 pos) internal pure returns (uint256 start) {
        unchecked {
            (uint256 end, uint256 auths, uint256 costs) = (input.end, r.auths, r.costs);
            pos = Submission.behind(pos, end, auths);
            if (pos > end) return Submission.quit(r, Reasons.MALFORMED);
            start = pos;
            _clear(r.coupling, costs, auths);
            uint256 shadow = input.shadows; // or what lies there, if fewer are given: no reason depends on them
            Cost[] memory listed = r.coupling.costs;
            Cost memory c = r.cost;
            for (; costs != 0; --costs) {
                assembly ("memory-safe") {
                    listed := add(listed, 32)
                    c := mload(listed)
                }
                pos = _cost(r, c, pos, int256(Wire.load(shadow)) >> 96);
                if (pos == 0) return 0;
                shadow += SHADOW_BYTES;
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
            Wire.clear(data.links, LINK_SIZE * auths);
        }
    }

    /// @return next behind the cost
    function _cost(Reading memory r, Cost memory c, uint256 pos, int256 shadow) private pure returns (uint256 next) {
        unchecked {
            // read before `next` tells whether it lies within: there is room behind the body
            uint256 head = Wire.load(pos);
            uint256 terms = Wire.octet(head, 0);
            pos += HEAD;
            uint256 end = pos + Wire.TERM_BYTES * terms;
            next = end + Curve.size(Wire.octet(head, 1), Wire.octet(head, 2));
            if (!r.known) {
                if (!_allows(r, head, pos, next)) return 0;
            }
            (c.terms, c.end, c.shadow) = (pos, end, shadow);
            uint256 gross = _terms(r.coupling.links, pos, end, shadow);
            c.most = 2 + gross + terms;
            if (!Curve.read(c.curve, end, (head >> 232) & 65_535, shadow, gross, 1)) {
                return Submission.quit(r, Reasons.MALFORMED);
            }
        }
    }

    /// @dev Rule 5 for a cost, but for its prices. @param pos of its terms
    function _allows(Reading memory r, uint256 head, uint256 pos, uint256 next) private pure returns (bool) {
        unchecked {
            (uint256 terms, uint256 auths) = (Wire.octet(head, 0), r.auths);
            (uint256 buys, uint256 sells) = (Wire.octet(head, 1), Wire.octet(head, 2));
            bool bad = Wire.either(Curve.shapeless(buys, sells), terms - 1 >= MAX_TERMS);
            bad = Wire.either(next > r.end, bad);
            uint256 gas = r.gas + COST_GAS + TERM_GAS * terms + STEP_GAS * (buys + sells);
            if (Wire.either(bad, gas > r.gasLimit)) return Submission.refuse(r, gas, bad);
            r.gas = gas;
            assembly ("memory-safe") {
                let least := 0
                for { let end := add(pos, shl(2, terms)) } lt(pos, end) { pos := add(pos, 4) } {
                    let word := mload(pos)
                    let index := byte(0, word)
                    let factor := sar(232, shl(8, word))
                    let sign := sar(255, factor)
                    let size := sub(xor(factor, sign), sign)
                    // 1 ≤ |coefficient| ≤ 2^20
                    bad := or(bad, or(or(lt(index, least), iszero(lt(index, auths))), shr(20, sub(size, 1))))
                    least := add(index, 1)
                }
                bad := gt(bad, 0)
            }
            if (bad) return Submission.fail(r, Reasons.MALFORMED);
            return true;
        }
    }

    /// @return gross Γ
    function _terms(uint256 links, uint256 pos, uint256 end, int256 shadow) private pure returns (uint256 gross) {
        uint256 size_ = LINK_SIZE;
        assembly ("memory-safe") {
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let word := mload(pos)
                let link := add(links, mul(size_, byte(0, word)))
                let factor := sar(232, shl(8, word))
                mstore(link, add(mload(link), mul(factor, shadow))) // 16 of 2^20·2^159
                let size := sar(255, factor)
                size := sub(xor(factor, size), size)
                gross := add(gross, size)
                link := add(link, 32)
                mstore(link, add(mload(link), size))
            }
        }
    }

    /// @dev Combinations, cover and sums of all costs once the auths are read.
    function weigh(Reading memory r) internal pure {
        unchecked {
            (Cost memory c, Cost[] memory costs, uint256 links) = (r.cost, r.coupling.costs, r.coupling.links);
            uint256 cover = r.cover + r.auths; // the payment of each rounds up
            for (uint256 left = r.costs; left != 0; --left) {
                assembly ("memory-safe") {
                    costs := add(costs, 32)
                    c := mload(costs)
                }
                cover += _weigh(r, c, links);
            }
            r.cover = cover;
        }
    }

    /// @return cover of one
    function _weigh(Reading memory r, Cost memory c, uint256 links) private pure returns (uint256 cover) {
        unchecked {
            Curve.Data memory curve = c.curve;
            cover = _coverUp(curve, links, c);
            int256 excess = _sum(links, c);
            (int256 bottom, int256 top, int256 shadow) = (curve.bottom, curve.top, c.shadow);
            r.loss += curve.loss;
            uint256 most = c.most;
            uint256 span = uint256(top - bottom) >> LOT_BITS;
            r.costSpan += 4 * most * span; // < 2^27·2^113
            uint256 miss = Wire.abs(excess);
            // what clears beyond doubt; the rest is left to {check}
            bool clear = Wire.both(miss <= c.tolerance, Wire.both(shadow >= bottom, shadow <= top));
            if (!clear) r.unclear = true;
            // bottom ≤ top, so this is the larger size of the two; the ends are whole X40 prices
            cover += _valueUp(uint256(-Wire.min(-top, bottom)) >> LOT_BITS, most);
            if (shadow == (excess > 0 ? bottom : top)) return cover;
            r.costLoss += miss * span; // < 2^117·2^113
        }
    }

    /// @return excess {X44} s − S; the tolerance of the cost goes with it
    function _sum(uint256 links, Cost memory c) private pure returns (int256 excess) {
        (uint256 pos, uint256 end, uint256 size_) = (c.terms, c.end, LINK_SIZE);
        uint256 tolerance = 2;
        unchecked {
            links += 128; // to the rates
        }
        assembly ("memory-safe") {
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let word := mload(pos)
                let curve := add(links, mul(size_, byte(0, word)))
                let factor := sar(232, shl(8, word))
                excess := add(excess, mul(factor, mload(curve))) // < 2^20·2^92
                if mload(add(curve, 32)) {
                    // sloped
                    let sign := sar(255, factor)
                    tolerance := add(tolerance, add(sub(xor(factor, sign), sign), 1))
                }
            }
        }
        unchecked {
            excess -= c.curve.rate;
        }
        (c.excess, c.tolerance) = (excess, tolerance);
    }

    /// @dev Cash that λ·s moves between the auths' own values and their payments is at most: the curve's own, λ = bottom > 0 with all that can be bought
    /// beyond it, λ = top < 0 with all that can be sold; and, which is left to {_weigh}, what s may be off.
    function _coverUp(Curve.Data memory c, uint256 links, Cost memory cost) private pure returns (uint256 cover) {
        unchecked {
            (int256 bid, int256 ask) = (c.bid, c.ask);
            if (bid > 0) {
                uint256 bought = c.buy;
                if (c.bottom > 0) bought = Wire.max(bought, _most(links, cost, 0));
                cover = _valueUp(uint256(bid), bought);
            }
            if (ask < 0) {
                uint256 sold = c.sell;
                if (c.top < 0) sold = Wire.max(sold, _most(links, cost, 32));
                cover = Wire.max(cover, _valueUp(uint256(-ask), sold));
            }
        }
    }

    /// @param side 0 or 32
    /// @return most {X44} sMax or sMin
    function _most(uint256 links, Cost memory c, uint256 side) private pure returns (uint256 most) {
        (uint256 pos, uint256 end, uint256 size) = (c.terms, c.end, LINK_SIZE);
        links += 64 + 160; // to what the curves can buy; what they can sell lies behind that
        assembly ("memory-safe") {
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let word := mload(pos)
                let factor := sar(232, shl(8, word))
                let sign := sar(255, factor)
                let at := add(add(links, mul(size, byte(0, word))), xor(side, and(sign, 32)))
                most := add(most, mul(sub(xor(factor, sign), sign), mload(at)))
            }
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
