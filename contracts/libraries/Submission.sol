// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, VoidReason} from "../interfaces/IWalras.sol";
import {Board, Line} from "./Board.sol";
import {
    AUTH_GAS,
    BYTE_GAS,
    ITEM_HEAD,
    LEG_GAS,
    LIMIT_GAS,
    LOT_BITS,
    MAX_COSTS,
    MAX_LEGS,
    MAX_LISTED,
    MAX_WEIGHT,
    PAYMENT_SHIFT,
    PRICE_BYTES,
    PRODUCT_GAS,
    SHADOW_BYTES,
    STEP_GAS,
    SUBMISSION_GAS,
    UNIT_BYTES,
    UNIT_GAS
} from "./Constants.sol";
import {Costs} from "./Costs.sol";
import {Curve} from "./Curve.sol";
import {Wire} from "./Wire.sol";

/// @dev Where the parts of an item of a settlement lie in memory.
struct Input {
    uint256 pos; // address of the body
    uint256 end; // address behind it
    uint256 length; // {byte} of its ciphertext, 69 more than of the body
    uint256 units; // declared
    uint256 shadows; // address of the shadow prices, i160 each
    uint256 shadowCount;
    uint256 done; // address of the progress of each auth with limits, i128 each, within its limits
    uint256 doneCount; // 0: no progress yet
}

/// @dev What a submission asks of one of its products, and gets at the posted prices.
struct Entry {
    Line line;
    uint256 cover; // {lot X44} most it can sell
    int256 fill; // {lot X44}
    uint256 bought; // {lot X44} positive legs
    uint256 tolerance; // {ulp}
    uint256 gross; // {ulp}
    uint256 balance; // {lot X44} ledger, filled in by Ledger
}

/// @dev The terms of an auth while it is read.
struct Auth {
    uint256 legs; // memory address
    uint256 end; // of the legs
    uint256 gross; // {lot} W
    uint256 tau; // {cash X40}
    int256 pi; // {cash X84} of the portfolio
    Curve.Data curve;
}

/// @dev One submission at the posted prices. Reused for every account of a settlement, so that memory does not grow with them.
struct Reading {
    Entry[] entries; // as many as the longest list so far
    Auth auth;
    Costs.Data coupling;
    int256[] progress; // {portfolio unit X44} of each auth with limits after this batch; at least `limits`
    bool headed; // rules 1 to 3 hold
    uint256 kind; // 1: standing
    uint256 validUntil; // {s} 0: no end
    uint256 count; // products listed
    uint256 costs;
    uint256 limits; // auths with limits
    uint256 ended; // of these, how many have nothing left after this batch
    bool complete; // all auths have limits and have ended
    uint256 used; // bit per product that is a leg
    uint256 cover; // {cash X40} most it can pay
    int256 cash; // {cash X40} received
    uint256 loss; // {cash X40 / portfolio unit^2}
    uint256 costLoss; // {cash X84}
    uint256 costSpan; // {cash X84}
    uint256 gas; // bound on what its settlement spends
    uint256 gasLimit; // declared
    bool homed; // the account got its home product by this submission
}

/// @dev Total decoding and evaluation of submissions, in one pass: any bytes are one submission or one void reason. docs/SPEC.md §2 and §3, rules 1 to 6.
library Submission {
    uint256 internal constant HEAD = 7; // {byte} kind, validUntil, nProducts
    uint256 internal constant AUTH_HEAD = 4; // {byte} flags, nLegs, nBuy, nSell
    uint256 internal constant LIMIT_BYTES = 12;

    /// @dev Costs that do not clear are found by {Costs-check}, for a submission that trades.
    function read(Reading memory r, Board.Data memory board, Input memory input)
        internal
        pure
        returns (VoidReason reason)
    {
        reason = decode(r, board, input);
        uint256 needed = reason == VoidReason.NONE ? r.costs : 0;
        if (input.shadowCount != needed) revert IWalras.ShadowsMismatch(input.shadowCount, needed);
    }

    /// @dev The same for who gives no shadow prices: they are zero.
    function decode(Reading memory r, Board.Data memory board, Input memory input)
        internal
        pure
        returns (VoidReason reason)
    {
        unchecked {
            (uint256 pos, uint256 auths) = (0, 0);
            (pos, auths, reason) = _head(r, board, input);
            if (reason != VoidReason.NONE) return reason;
            uint256 end = input.end;
            if (r.costs != 0) {
                (end, reason) = Costs.read(r, input, pos, auths);
                if (reason != VoidReason.NONE) return reason;
            }
            for (uint256 j; j < auths; ++j) {
                (pos, reason) = _auth(r, input, pos, end, j);
                if (reason != VoidReason.NONE) return reason;
            }
            if (pos != end || r.used != (1 << r.count) - 1) return VoidReason.MALFORMED;
            r.complete = r.ended == auths;
            if (r.costs != 0) Costs.weigh(r, auths);
        }
    }

    /// @dev Rules 1 to 3.
    function _head(Reading memory r, Board.Data memory board, Input memory input)
        private
        pure
        returns (uint256 pos, uint256 auths, VoidReason)
    {
        unchecked {
            r.headed = false;
            uint256 list = input.pos + HEAD;
            if (list > input.end) return (pos, 0, VoidReason.MALFORMED);
            uint256 word = Wire.load(input.pos);
            uint256 count = (word >> 200) & 255;
            pos = list + 2 * count + 2;
            if (pos > input.end) return (pos, 0, VoidReason.MALFORMED);
            uint256 tail = Wire.load(pos - 2);
            auths = tail >> 248;
            uint256 costs = (tail >> 240) & 255;
            (r.kind, r.costs) = (word >> 248, costs);
            if (r.kind > 1 || count == 0 || count > MAX_LISTED || auths == 0 || auths > MAX_LISTED || costs > MAX_COSTS)
            {
                return (pos, 0, VoidReason.MALFORMED);
            }
            r.validUntil = (word >> 208) & type(uint40).max;
            r.gasLimit = input.units * UNIT_GAS;
            r.gas = SUBMISSION_GAS + BYTE_GAS * input.length + PRODUCT_GAS * count;
            uint256 size = input.length + ITEM_HEAD + PRICE_BYTES * count + SHADOW_BYTES * costs;
            if (r.gas > r.gasLimit || size > UNIT_BYTES * input.units) return (pos, 0, VoidReason.OVERSIZED);
            if (count > r.entries.length) r.entries = new Entry[](count);
            (r.count, r.used, r.cover, r.cash, r.loss) = (count, 0, 0, 0, 0);
            (r.limits, r.ended, r.costLoss, r.costSpan) = (0, 0, 0, 0);
            r.headed = _list(r, board, list);
            return (pos, auths, r.headed ? VoidReason.NONE : VoidReason.MALFORMED);
        }
    }

    function _list(Reading memory r, Board.Data memory board, uint256 list) private pure returns (bool) {
        unchecked {
            uint256 next;
            uint256 count = r.count;
            for (uint256 i; i < count; ++i) {
                uint256 id = Wire.load(list + 2 * i) >> 240;
                if (id < next || id >= board.places.length) return false;
                next = id + 1;
            }
            for (uint256 i; i < count; ++i) {
                Entry memory e = r.entries[i];
                uint256 id = Wire.load(list + 2 * i) >> 240;
                uint256 place = board.places[id];
                if (place == 0) revert IWalras.PriceMissing(uint16(id));
                e.line = board.lines[place - 1];
                e.line.used = true;
                (e.cover, e.fill, e.bought, e.tolerance, e.gross) = (0, 0, 0, 0, 0);
            }
            return true;
        }
    }

    /// @return behind the auth whose head lies at `pos`
    function authEnd(uint256 pos) internal pure returns (uint256) {
        unchecked {
            uint256 head = Wire.load(pos) >> 224;
            uint256 fixedPart = AUTH_HEAD + (head >> 24 == 1 ? LIMIT_BYTES : 0);
            return pos + fixedPart + Wire.TERM_BYTES * ((head >> 16) & 255) + Curve.size((head >> 8) & 255, head & 255);
        }
    }

    /// @dev Rule 5 for the auth of index j, and its demand.
    function _auth(Reading memory r, Input memory input, uint256 pos, uint256 end, uint256 j)
        private
        pure
        returns (uint256 next, VoidReason)
    {
        unchecked {
            if (pos + AUTH_HEAD > end) return (pos, VoidReason.MALFORMED);
            next = authEnd(pos);
            uint256 head = Wire.load(pos) >> 224;
            uint256 flags = head >> 24;
            uint256 legs = (head >> 16) & 255;
            uint256 buys = (head >> 8) & 255;
            uint256 sells = head & 255;
            if (next > end || flags > 1 || legs == 0 || legs > MAX_LEGS || !Curve.counts(buys, sells)) {
                return (next, VoidReason.MALFORMED);
            }
            r.gas += AUTH_GAS + LEG_GAS * legs + STEP_GAS * (buys + sells) + LIMIT_GAS * flags;
            if (r.gas > r.gasLimit) return (next, VoidReason.OVERSIZED);
            Auth memory a = r.auth;
            a.legs = pos + AUTH_HEAD;
            a.end = a.legs + Wire.TERM_BYTES * legs;
            if (!_legs(r, a)) return (next, VoidReason.MALFORMED);
            // an auth in costs answers to π = Σ w·p − Σ g·λ, with W + G in place of W
            (int256 shift, uint256 guard) = r.costs == 0 ? (int256(0), 0) : Costs.linked(r.coupling, j);
            uint256 curve = a.end + LIMIT_BYTES * flags;
            if (!Curve.read(a.curve, curve, buys, sells, a.pi - shift, a.gross + guard, a.tau)) {
                return (next, VoidReason.MALFORMED);
            }
            _demand(r, a, input, flags, j);
            return (next, VoidReason.NONE);
        }
    }

    /// @dev Gross weight, least fall, portfolio price.
    function _legs(Reading memory r, Auth memory a) private pure returns (bool) {
        unchecked {
            (uint256 next, uint256 gross, uint256 tau, int256 pi) = (0, 0, 0, 0);
            uint256 used = r.used;
            for (uint256 pos = a.legs; pos < a.end; pos += Wire.TERM_BYTES) {
                (uint256 index, int256 weight) = Wire.term(pos);
                uint256 size = Wire.abs(weight);
                if (index < next || index >= r.count || size == 0 || size > MAX_WEIGHT) return false;
                next = index + 1;
                used |= 1 << index;
                Line memory line = r.entries[index].line;
                gross += size;
                tau += size * line.tick;
                pi += weight * line.price;
            }
            (r.used, a.gross, a.tau, a.pi) = (used, gross, tau, pi);
            if (a.end - a.legs != Wire.TERM_BYTES) return true;
            (, int256 single) = Wire.term(a.legs);
            return single == 1;
        }
    }

    /// @dev Demand within the limits, progress, cover, payment.
    function _demand(Reading memory r, Auth memory a, Input memory input, uint256 flags, uint256 j) private pure {
        unchecked {
            Curve.Data memory c = a.curve;
            int256 rate = int256(c.buy.rate) - int256(c.sell.rate);
            bool sloped = c.buy.sloped || c.sell.sloped;
            // {portfolio unit X44} A and B, what it may sell and buy
            int256 sell = int256(c.sell.total << LOT_BITS);
            int256 buy = int256(c.buy.total << LOT_BITS);
            if (flags != 0) (sell, buy, rate, sloped) = _limited(r, a, input, sell, buy, rate, sloped);
            uint256 pay = c.bid > 0 ? _valueUp(uint256(c.bid), uint256(buy)) : 0;
            uint256 payToSell = c.ask < 0 ? _valueUp(uint256(-c.ask), uint256(sell)) : 0;
            r.cover += pay > payToSell ? pay : payToSell;
            // |pi|·|rate| < 2^162·2^92; an arithmetic shift rounds toward minus infinity: the payer's ulp up, the receiver's down
            r.cash += (-a.pi * rate) >> PAYMENT_SHIFT;
            r.loss += c.buy.loss + c.sell.loss;
            _fill(r, a, rate, uint256(sell), uint256(buy), sloped);
            if (r.costs != 0) Costs.note(r.coupling, j, rate, uint256(sell), uint256(buy), sloped);
        }
    }

    /// @dev Cuts the curve's domain to [-(low + done), high - done] and moves the progress.
    function _limited(
        Reading memory r,
        Auth memory a,
        Input memory input,
        int256 sell,
        int256 buy,
        int256 rate,
        bool sloped
    ) private pure returns (int256, int256, int256, bool) {
        unchecked {
            uint256 word = Wire.load(a.end);
            int256 low = int256((word >> 208) << LOT_BITS);
            int256 high = int256(((word >> 160) & type(uint48).max) << LOT_BITS);
            uint256 i = r.limits++;
            if (r.progress.length == 0) r.progress = new int256[](MAX_LISTED);
            int256 done = i < input.doneCount ? int256(Wire.load(input.done + 16 * i)) >> 128 : int256(0);
            (int256 toSell, int256 toBuy) = (_min(sell, low + done), _min(buy, high - done));
            // the floor and rounded prices move D° by less than two ulps: beyond them the limit holds, not the slope
            if (rate < -toSell - 1 || rate > toBuy + 1) sloped = false;
            if (rate > toBuy) rate = toBuy;
            else if (rate < -toSell) rate = -toSell;
            done += rate;
            r.progress[i] = done;
            if (_min(sell, low + done) | _min(buy, high - done) == 0) ++r.ended;
            return (toSell, toBuy, rate, sloped);
        }
    }

    function _fill(Reading memory r, Auth memory a, int256 rate, uint256 sell, uint256 buy, bool sloped) private pure {
        unchecked {
            for (uint256 pos = a.legs; pos < a.end; pos += Wire.TERM_BYTES) {
                (uint256 index, int256 weight) = Wire.term(pos);
                Entry memory e = r.entries[index];
                uint256 size = Wire.abs(weight);
                e.cover += size * (weight > 0 ? sell : buy);
                e.gross += size + 1;
                if (sloped) e.tolerance += size + 1;
                int256 fill = weight * rate; // < 2^20·2^92
                e.fill += fill;
                if (fill > 0) e.bought += uint256(fill);
            }
        }
    }

    /// @return {cash X40} ⌈price X40 · quantity X44⌉
    function _valueUp(uint256 price, uint256 quantity) private pure returns (uint256) {
        unchecked {
            return (price * quantity + (1 << LOT_BITS) - 1) >> LOT_BITS;
        }
    }

    function _min(int256 x, int256 y) private pure returns (int256) {
        return x < y ? x : y;
    }
}
