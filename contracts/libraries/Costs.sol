// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, VoidReason} from "../interfaces/IWalras.sol";
import {COST_GAS, LOT_BITS, MAX_TERMS, MAX_WEIGHT, SHADOW_BYTES, STEP_GAS, TERM_GAS} from "./Constants.sol";
import {Curve} from "./Curve.sol";
import {Input, Reading, Submission} from "./Submission.sol";
import {Wire} from "./Wire.sol";

/// @dev Costs: demand curves over combinations s = Σ g·y of a submission's auths, each with a shadow price λ. docs/SPEC.md §2, §3 and §7.
library Costs {
    uint256 internal constant HEAD = 3; // {byte} nTerms, nBuy, nSell

    struct Cost {
        uint256 terms; // memory address
        uint256 end; // of the terms
        int256 shadow; // {cash X84} λ
        int256 own; // {X44} S, what its own curve demands
        int256 bid; // {cash X40}
        int256 ask; // {cash X40}
        uint256 buy; // {X44} Qb
        uint256 sell; // {X44} Qs
        int256 top; // {cash X84} marginal value below the curve
        int256 bottom; // {cash X84} and above it
        int256 excess; // {X44} s − S
        uint256 tolerance; // {ulp} c
    }

    /// @dev What its costs do to an auth, and what it brings them.
    struct Link {
        int256 shift; // {cash X84} Σ g·λ
        uint256 guard; // G
        int256 rate; // {portfolio unit X44} D
        uint256 sell; // {portfolio unit X44} A
        uint256 buy; // {portfolio unit X44} B
        bool sloped;
    }

    /// @dev Reused like the entries of a {Reading}: as many as the most so far.
    struct Data {
        Cost[] costs;
        Link[] links; // of each auth
    }

    /// @dev Rule 4. @return start address of the first cost
    function read(Reading memory r, Input memory input, uint256 pos, uint256 auths)
        internal
        pure
        returns (uint256 start, VoidReason reason)
    {
        unchecked {
            uint256 end = input.end;
            for (uint256 j; j < auths; ++j) {
                if (pos + Submission.AUTH_HEAD > end) return (pos, VoidReason.MALFORMED);
                pos = Submission.authEnd(pos);
                if (pos > end) return (pos, VoidReason.MALFORMED);
            }
            start = pos;
            uint256 count = r.costs;
            _clear(r.coupling, count, auths);
            for (uint256 d; d < count; ++d) {
                (pos, reason) = _cost(r, input, pos, d, auths);
                if (reason != VoidReason.NONE) return (start, reason);
            }
            if (pos != end) reason = VoidReason.MALFORMED;
        }
    }

    function _clear(Data memory data, uint256 costs, uint256 auths) private pure {
        unchecked {
            if (costs > data.costs.length) data.costs = new Cost[](costs);
            if (auths > data.links.length) data.links = new Link[](auths);
            for (uint256 j; j < auths; ++j) {
                Link memory link = data.links[j];
                (link.shift, link.guard) = (0, 0);
            }
        }
    }

    function _cost(Reading memory r, Input memory input, uint256 pos, uint256 d, uint256 auths)
        private
        pure
        returns (uint256 next, VoidReason)
    {
        unchecked {
            if (pos + HEAD > input.end) return (pos, VoidReason.MALFORMED);
            uint256 head = Wire.load(pos) >> 232;
            uint256 terms = head >> 16;
            uint256 buys = (head >> 8) & 255;
            uint256 sells = head & 255;
            Cost memory c = r.coupling.costs[d];
            c.terms = pos + HEAD;
            c.end = c.terms + Wire.TERM_BYTES * terms;
            next = c.end + Curve.size(buys, sells);
            if (next > input.end || terms == 0 || terms > MAX_TERMS || !Curve.counts(buys, sells)) {
                return (next, VoidReason.MALFORMED);
            }
            r.gas += COST_GAS + TERM_GAS * terms + STEP_GAS * (buys + sells);
            if (r.gas > r.gasLimit) return (next, VoidReason.OVERSIZED);
            c.shadow = d < input.shadowCount ? int256(Wire.load(input.shadows + SHADOW_BYTES * d)) >> 96 : int256(0);
            (bool valid, uint256 gross) = _terms(r.coupling, c, auths);
            Curve.Data memory curve = r.auth.curve;
            if (!valid || !Curve.read(curve, c.end, buys, sells, c.shadow, gross, 1)) {
                return (next, VoidReason.MALFORMED);
            }
            c.own = int256(curve.buy.rate) - int256(curve.sell.rate);
            (c.bid, c.ask) = (curve.bid, curve.ask);
            (c.buy, c.sell) = (curve.buy.total << LOT_BITS, curve.sell.total << LOT_BITS);
            (c.top, c.bottom) = (-curve.sell.last, curve.buy.last);
            return (next, VoidReason.NONE);
        }
    }

    /// @return gross Γ
    function _terms(Data memory data, Cost memory c, uint256 auths) private pure returns (bool, uint256 gross) {
        unchecked {
            uint256 next;
            for (uint256 pos = c.terms; pos < c.end; pos += Wire.TERM_BYTES) {
                (uint256 index, int256 factor) = Wire.term(pos);
                uint256 size = Wire.abs(factor);
                if (index < next || index >= auths || size == 0 || size > MAX_WEIGHT) return (false, 0);
                next = index + 1;
                gross += size;
                Link memory link = data.links[index];
                link.shift += factor * c.shadow; // 16 of 2^20·2^159
                link.guard += size;
            }
            return (true, gross);
        }
    }

    /// @return shift {cash X84} Σ g·λ of an auth @return guard G
    function linked(Data memory data, uint256 j) internal pure returns (int256 shift, uint256 guard) {
        Link memory link = data.links[j];
        return (link.shift, link.guard);
    }

    /// @dev What an auth of the submission trades, and could.
    function note(Data memory data, uint256 j, int256 rate, uint256 sell, uint256 buy, bool sloped) internal pure {
        Link memory link = data.links[j];
        (link.rate, link.sell, link.buy, link.sloped) = (rate, sell, buy, sloped);
    }

    /// @dev Combinations, cover and sums of all costs once the auths are read.
    function weigh(Reading memory r, uint256 auths) internal pure {
        unchecked {
            for (uint256 d; d < r.costs; ++d) {
                Cost memory c = r.coupling.costs[d];
                (uint256 most, uint256 mostSold, uint256 all) = _sum(r.coupling, c);
                r.cover += _coverUp(c, most, mostSold, all);
                uint256 span = uint256(c.top - c.bottom) >> LOT_BITS;
                r.costSpan += 4 * all * span; // < 2^27·2^113
                bool excused = c.excess > 0 ? c.shadow == c.bottom : c.shadow == c.top;
                if (!excused) r.costLoss += Wire.abs(c.excess) * span; // < 2^117·2^113
            }
            r.cover += auths; // the payment of each rounds up
        }
    }

    /// @return most {X44} sMax @return mostSold {X44} sMin @return all {ulp} C
    function _sum(Data memory data, Cost memory c) private pure returns (uint256 most, uint256 mostSold, uint256 all) {
        unchecked {
            int256 sum;
            uint256 tolerance = 2;
            all = 2;
            for (uint256 pos = c.terms; pos < c.end; pos += Wire.TERM_BYTES) {
                (uint256 index, int256 factor) = Wire.term(pos);
                Link memory link = data.links[index];
                uint256 size = Wire.abs(factor);
                sum += factor * link.rate; // < 2^20·2^92
                all += size + 1;
                if (link.sloped) tolerance += size + 1;
                (uint256 sell, uint256 buy) = factor > 0 ? (link.sell, link.buy) : (link.buy, link.sell);
                most += size * buy;
                mostSold += size * sell;
            }
            (c.excess, c.tolerance) = (sum - c.own, tolerance);
        }
    }

    /// @dev Cash that λ·s moves between the auths' own values and their payments is at most: the curve's own, λ = bottom > 0 with all that can be bought
    /// beyond it, λ = top < 0 with all that can be sold; and what s may be off.
    function _coverUp(Cost memory c, uint256 most, uint256 mostSold, uint256 all) private pure returns (uint256) {
        unchecked {
            if (c.bottom <= 0 || most < c.buy) most = c.buy;
            if (c.top >= 0 || mostSold < c.sell) mostSold = c.sell;
            uint256 pay = c.bid > 0 ? _valueUp(uint256(c.bid), most) : 0;
            uint256 payToSell = c.ask < 0 ? _valueUp(uint256(-c.ask), mostSold) : 0;
            uint256 high = Wire.abs(c.top);
            uint256 low = Wire.abs(c.bottom);
            // the ends are whole X40 prices
            return (pay > payToSell ? pay : payToSell) + _valueUp((high > low ? high : low) >> LOT_BITS, all);
        }
    }

    /// @dev [C-5] A cost clears iff s lies on its own curve at λ. p and λ rounded to X84 move π by at most (W + G)/2; the slope of D is at most 1/(W + G)²
    /// per X84 unit, so D moves by at most 1/(2(W + G)) ulp and s by at most half an ulp for each sloped auth, whose floor takes less than |g| more. The
    /// floor of S takes less than an ulp, and λ's rounding moves it by at most 1/(2Γ²): together less than c = 2 + Σ_(sloped) (|g| + 1). Above its curve
    /// the marginal value stays at `bottom`, so there any s ≥ S is best at λ = bottom; below it any s ≤ S at λ = top.
    ///     bottom ≤ λ ≤ top      s ≤ S + c unless λ = bottom      s ≥ S − c unless λ = top
    function check(Reading memory r, address owner) internal pure {
        unchecked {
            for (uint256 d; d < r.costs; ++d) {
                Cost memory c = r.coupling.costs[d];
                if (c.shadow < c.bottom || c.shadow > c.top) revert IWalras.ShadowOutOfRange(owner, d, c.shadow);
                int256 tolerance = int256(c.tolerance);
                bool above = c.excess > tolerance && c.shadow != c.bottom;
                bool below = c.excess < -tolerance && c.shadow != c.top;
                if (above || below) revert IWalras.CostNotCleared(owner, d, c.excess, c.tolerance);
            }
        }
    }

    function _valueUp(uint256 price, uint256 quantity) private pure returns (uint256) {
        unchecked {
            return (price * quantity + (1 << LOT_BITS) - 1) >> LOT_BITS;
        }
    }
}
