// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras} from "../interfaces/IWalras.sol";
import {Board, Line} from "./Board.sol";
import {
    AUTH_GAS,
    BYTE_GAS,
    ITEM_HEAD,
    LEG_GAS,
    LIMIT_GAS,
    LOT_BITS,
    MAX_COSTS,
    MAX_LISTED,
    PAYMENT_SHIFT,
    PRICE_BYTES,
    PRODUCT_GAS,
    SHADOW_BYTES,
    STAND_GAS,
    STEP_GAS,
    SUBMISSION_GAS,
    UNIT_BYTES,
    UNIT_GAS
} from "./Constants.sol";
import {Costs} from "./Costs.sol";
import {Curve} from "./Curve.sol";
import {Reasons} from "./Reasons.sol";
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
    bool known; // rules 1 to 6 and 8 hold, at whatever prices: those that look at the body alone are not looked at
}

/// @dev What a submission asks of one of its products, and gets at the posted prices.
struct Entry {
    Line line;
    uint256 cover; // {lot X44} most it can sell
    int256 fill; // {lot X44}
    uint256 bought; // {lot X44} positive legs
    uint256 tolerance; // {ulp}
    uint256 gross; // {ulp}
    /* filled in by Ledger */
    uint256 balance; // {lot X44} ledger
    uint256 slot; // of the pair's word, if the product is not the home product
    uint256 word; // that word
}

/// @dev One submission at the posted prices. Reused for every account of a settlement, so that memory does not grow with them.
struct Reading {
    Entry[] entries; // as many as the longest list so far
    Entry entry; // none of them: an {Entry} variable has to begin somewhere, or memory is allocated
    Costs.Cost cost; // none of them, for the same reason
    Curve.Data curve; // of the auth that is read, if there are no costs
    Costs.Data coupling;
    Input input; // what is read
    uint256 end; // address behind the auths
    int256[MAX_LISTED] progress; // {portfolio unit X44} of each auth with limits after this batch
    uint256 kind; // 1: standing
    uint256 validUntil; // {s} 0: no end
    uint256 count; // products listed
    uint256 auths;
    uint256 costs;
    uint256 gasLimit; // declared
    uint256 reason; // if it is void
    bool homed; // the account got its home product by this submission
    bool known; // as its input
    /* from here on zero when a submission is begun */
    bool moves; // an auth has a fill
    bool complete; // all auths have limits and have ended
    uint256 gas; // bound on what its settlement spends
    uint256 used; // bit per product that is a leg
    uint256 limits; // auths with limits
    uint256 ended; // of these, how many have nothing left after this batch
    uint256 cover; // {cash X40} most it can pay
    int256 cash; // {cash X40} received
    uint256 loss; // {cash X40 / portfolio unit^2}
    uint256 costLoss; // {cash X84}
    uint256 costSpan; // {cash X84}
    bool unclear; // a cost may not clear
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
        returns (uint256 reason)
    {
        reason = decode(r, board, input);
        if (Wire.both(reason == Reasons.NONE, input.shadowCount == r.costs)) return reason;
        uint256 needed = reason == Reasons.NONE ? r.costs : 0;
        if (input.shadowCount != needed) revert IWalras.ShadowsMismatch(input.shadowCount, needed);
    }

    /// @dev The same for who gives no shadow prices: the reason does not depend on them.
    function decode(Reading memory r, Board.Data memory board, Input memory input) internal pure returns (uint256) {
        unchecked {
            uint256 pos = _head(r, board, input);
            if (pos == 0) return r.reason;
            if (r.costs != 0) return _coupled(r, input, pos);
            return _auths(r, pos, 0, 0);
        }
    }

    function _coupled(Reading memory r, Input memory input, uint256 pos) private pure returns (uint256 reason) {
        uint256 end = Costs.read(r, input, pos);
        if (end == 0) return r.reason;
        r.end = end;
        reason = _auths(r, pos, r.coupling.links, Costs.LINK_SIZE);
        if (reason == Reasons.NONE) Costs.weigh(r);
    }

    /// @param link of the first auth @param size of a link; both 0 without costs
    function _auths(Reading memory r, uint256 pos, uint256 link, uint256 size) private pure returns (uint256) {
        unchecked {
            uint256 left = r.auths;
            do {
                pos = _auth(r, pos, link);
                if (pos == 0) return r.reason;
                link += size;
            } while (--left != 0);
            if (!r.known) {
                if (Wire.either(pos != r.end, r.used + 1 != 1 << r.count)) return Reasons.MALFORMED;
            }
            r.complete = r.ended == r.auths;
            return Reasons.NONE;
        }
    }

    /// @dev Ends reading. @return 0, as every function that reads on returns in place of where to go on
    function quit(Reading memory r, uint256 reason) internal pure returns (uint256) {
        r.reason = reason;
        return 0;
    }

    /// @dev Ends reading. @return false, as every function that looks at a rule does if it does not hold
    function fail(Reading memory r, uint256 reason) internal pure returns (bool) {
        r.reason = reason;
        return false;
    }

    /// @dev Products and how many auths and costs. @return pos of the first auth
    function _head(Reading memory r, Board.Data memory board, Input memory input) private pure returns (uint256 pos) {
        unchecked {
            assembly ("memory-safe") {
                calldatacopy(add(r, 544), calldatasize(), 384) // zeros, from `moves` on
            }
            uint256 list = input.pos;
            uint256 head = Wire.load(list);
            uint256 count = (head >> 200) & 255;
            list += HEAD;
            uint256 end = list + 2 * count;
            // read before it is known whether it lies within: there is room behind the body
            uint256 tail = Wire.load(end);
            (r.input, r.end) = (input, input.end);
            (r.kind, r.validUntil) = (head >> 248, (head >> 208) & type(uint40).max);
            (r.count, r.auths, r.costs) = (count, tail >> 248, Wire.octet(tail, 1));
            if (input.known) {
                (r.known, r.gasLimit) = (true, type(uint256).max);
            } else {
                r.known = false;
                if (!_admits(r, head, tail, board.places.length, end)) return 0;
            }
            if (count > r.entries.length) r.entries = new Entry[](count);
            _find(r.entries, board.places, list, end);
            return end + 2;
        }
    }

    /// @dev Rules 1 to 3. @param products of the market @param end of the list
    function _admits(Reading memory r, uint256 head, uint256 tail, uint256 products, uint256 end)
        private
        pure
        returns (bool)
    {
        unchecked {
            (uint256 count, uint256 costs) = ((head >> 200) & 255, Wire.octet(tail, 1));
            bool bad = Wire.either(count - 1 >= MAX_LISTED, (tail >> 248) - 1 >= MAX_LISTED);
            bad = Wire.either(Wire.either(head >> 248 > 1, costs > MAX_COSTS), bad);
            if (Wire.either(bad, end + 2 > r.end)) return fail(r, Reasons.MALFORMED);
            Input memory input = r.input;
            (uint256 length, uint256 units) = (input.length, input.units);
            uint256 gas = SUBMISSION_GAS + STAND_GAS * (head >> 248) + BYTE_GAS * length + PRODUCT_GAS * count;
            length += ITEM_HEAD + PRICE_BYTES * count + SHADOW_BYTES * costs;
            bad = length > UNIT_BYTES * units;
            units *= UNIT_GAS;
            (r.gas, r.gasLimit) = (gas, units);
            if (Wire.either(gas > units, bad)) return fail(r, Reasons.OVERSIZED);
            uint256 list = end - 2 * count;
            uint256 next;
            bool falls;
            assembly ("memory-safe") {
                for {} 1 {} {
                    let id := shr(240, mload(list))
                    falls := or(falls, lt(id, next))
                    next := add(id, 1)
                    list := add(list, 2)
                    if eq(list, end) { break }
                }
            }
            if (Wire.either(falls, next > products)) return fail(r, Reasons.MALFORMED);
            return true;
        }
    }

    /// @dev Begins the entries of the products listed: ids of products that exist, no more than there are entries.
    function _find(Entry[] memory entries, Line[] memory places, uint256 list, uint256 end) private pure {
        assembly ("memory-safe") {
            for { places := add(places, 32) } 1 {} {
                let line := mload(add(places, shl(5, shr(240, mload(list)))))
                if iszero(line) { break } // not posted
                mstore(add(line, 224), 1) // used
                entries := add(entries, 32)
                let e := mload(entries)
                mstore(e, line)
                calldatacopy(add(e, 32), calldatasize(), 160) // zeros
                list := add(list, 2)
                if eq(list, end) { break }
            }
        }
        if (list != end) revert IWalras.PriceMissing(uint16(Wire.load(list) >> 240));
    }

    /// @dev Rule 4 (a), by the heads alone. An auth has more bytes than its head: if one does not lie within, nor does what it would be followed by.
    /// @return next address behind so many auths, beyond `end` if one is not wholly before it
    function behind(uint256 pos, uint256 end, uint256 auths) internal pure returns (uint256 next) {
        assembly ("memory-safe") {
            next := pos
            for {} auths { auths := sub(auths, 1) } {
                let head := mload(next)
                let buys := byte(2, head)
                let sells := byte(3, head)
                // head and first; limits; legs; gap; steps
                next := add(add(next, 20), mul(12, eq(byte(0, head), 1)))
                next := add(add(next, shl(2, byte(1, head))), mul(14, gt(mul(buys, sells), 0)))
                next := add(next, mul(20, add(buys, sells)))
                if gt(next, end) { break }
            }
        }
    }

    /// @dev An auth's demand. @return next behind it
    /// @param link of the auth, if there are costs
    function _auth(Reading memory r, uint256 pos, uint256 link) private pure returns (uint256 next) {
        unchecked {
            // read before `next` tells whether it lies within: there is room behind the body
            uint256 head = Wire.load(pos);
            pos += AUTH_HEAD;
            uint256 legs = Wire.octet(head, 1);
            uint256 limits = pos + Wire.TERM_BYTES * legs; // behind the legs
            uint256 curve = limits + LIMIT_BYTES * Wire.octet(head, 0);
            next = curve + Curve.size(Wire.octet(head, 2), Wire.octet(head, 3));
            if (!r.known) {
                if (!_allows(r, head, pos, next)) return 0;
            }
            (uint256 gross, uint256 tau, int256 pi) = (1, 0, 0);
            if (legs == 1) {
                (tau, pi) = _leg(r, pos);
            } else {
                (gross, tau, pi) = _legs(r, pos, limits);
                if (gross == 0) return quit(r, Reasons.MALFORMED);
            }
            Curve.Data memory c = r.curve;
            int256 effective = pi;
            if (link != 0) {
                // an auth in costs answers to π = Σ w·p − Σ g·λ, with W + G in place of W
                assembly ("memory-safe") {
                    effective := sub(pi, mload(link))
                    gross := add(gross, mload(add(link, 32)))
                    c := add(link, 64)
                }
            }
            if (!Curve.read(c, curve, (head >> 224) & 65_535, effective, gross, tau)) {
                return quit(r, Reasons.MALFORMED);
            }
            if (curve != limits) _limit(r, c, limits);
            _pay(r, c, pi);
            if (legs == 1) _fillOne(r, c, pos);
            else _fill(r, c, pos, limits);
        }
    }

    /// @dev Rule 5 for an auth, but for its prices, and several legs, which are looked at as they are read. @param pos of the legs
    function _allows(Reading memory r, uint256 head, uint256 pos, uint256 next) private pure returns (bool) {
        unchecked {
            uint256 legs = Wire.octet(head, 1);
            uint256 gas = r.gas + AUTH_GAS + LEG_GAS * legs + LIMIT_GAS * Wire.octet(head, 0);
            gas += STEP_GAS * (Wire.octet(head, 2) + Wire.octet(head, 3));
            head >>= 224;
            // octets flags ≤ 1, legs 1 to 16, steps ≤ 16 a side: with a leg less and 15 steps more, none has a higher bit
            uint256 beyond = (head - 0x10000 + 0x0f0f) & 0xfef0e0e0 | head & 0xe0e0;
            bool bad = Wire.either(beyond != 0, head & 0xffff == 0);
            bad = Wire.either(next > r.end, bad);
            if (Wire.either(bad, gas > r.gasLimit)) return refuse(r, gas, bad);
            r.gas = gas;
            if (legs == 1) {
                uint256 leg = Wire.load(pos) >> 224;
                if (Wire.either(leg & 0xffffff != 1, leg >> 24 >= r.count)) return fail(r, Reasons.MALFORMED);
                r.used |= 1 << (leg >> 24);
            }
            return true;
        }
    }

    /// @dev Ends reading at an auth or a cost that is malformed or, if it is not, takes the gas too far.
    function refuse(Reading memory r, uint256 gas, bool malformed) internal pure returns (bool) {
        if (malformed) return fail(r, Reasons.MALFORMED);
        r.gas = gas;
        return fail(r, Reasons.OVERSIZED);
    }

    /// @dev {_legs} of a single one, whose weight is 1.
    function _leg(Reading memory r, uint256 pos) private pure returns (uint256 tau, int256 pi) {
        Entry[] memory entries = r.entries;
        assembly ("memory-safe") {
            let line := mload(mload(add(add(entries, 32), shl(5, byte(0, mload(pos))))))
            pi := mload(add(line, 32)) // price
            tau := mload(add(line, 64)) // tick
        }
    }

    /// @return gross {lot} W, 0 if the legs are malformed
    /// @return tau {cash X40} least fall of a step
    /// @return pi {cash X84} of the portfolio
    function _legs(Reading memory r, uint256 pos, uint256 end)
        private
        pure
        returns (uint256 gross, uint256 tau, int256 pi)
    {
        (uint256 count, uint256 used, Entry[] memory entries) = (r.count, r.used, r.entries);
        assembly ("memory-safe") {
            let next := 0
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let word := mload(pos)
                let index := byte(0, word)
                let weight := sar(232, shl(8, word))
                let size := sar(255, weight)
                size := sub(xor(weight, size), size)
                if or(or(lt(index, next), iszero(lt(index, count))), shr(20, sub(size, 1))) {
                    gross := 0 // 1 ≤ |weight| ≤ 2^20
                    break
                }
                next := add(index, 1)
                used := or(used, shl(index, 1))
                let line := mload(mload(add(add(entries, 32), shl(5, index))))
                gross := add(gross, size)
                pi := add(pi, mul(weight, mload(add(line, 32)))) // price
                tau := add(tau, mul(size, mload(add(line, 64)))) // tick
            }
        }
        r.used = used;
    }

    /// @dev Cuts the curve's domain to [-(low + done), high - done] and moves the progress.
    function _limit(Reading memory r, Curve.Data memory c, uint256 pos) private pure {
        unchecked {
            Input memory input = r.input;
            uint256 word = Wire.load(pos);
            int256 low = int256((word >> 208) << LOT_BITS);
            int256 high = int256(((word >> 160) & type(uint48).max) << LOT_BITS);
            uint256 i = r.limits++;
            int256 done = i < input.doneCount ? int256(Wire.load(input.done + 16 * i)) >> 128 : int256(0);
            (int256 sell, int256 buy, int256 rate) = (int256(c.sell), int256(c.buy), c.rate);
            (int256 toSell, int256 toBuy) = (Wire.min(sell, low + done), Wire.min(buy, high - done));
            // the floor and rounded prices move D° by less than two ulps: beyond them the limit holds, not the slope
            if (rate != 0) {
                if (rate < -toSell - 1 || rate > toBuy + 1) c.sloped = false;
                if (rate > toBuy) rate = toBuy;
                else if (rate < -toSell) rate = -toSell;
                done += rate;
                c.rate = rate;
            }
            r.progress[i] = done;
            // nothing left on either side: neither below 2^93, so a product is zero iff a factor is
            if (sell * (low + done) | buy * (high - done) == 0) ++r.ended;
            (c.sell, c.buy) = (uint256(toSell), uint256(toBuy));
        }
    }

    /// @dev Cover and payment.
    function _pay(Reading memory r, Curve.Data memory c, int256 pi) private pure {
        unchecked {
            int256 ask = c.ask;
            uint256 pay = valueUp(Wire.positive(c.bid), c.buy);
            if (ask < 0) pay = Wire.max(pay, valueUp(uint256(-ask), c.sell));
            r.cover += pay;
            r.loss += c.loss;
            int256 rate = c.rate;
            if (rate != 0) {
                r.cash += payment(pi, rate);
                r.moves = true;
            }
        }
    }

    /// @return cash {cash X40} received for a rate: |pi|·|rate| < 2^162·2^92
    function payment(int256 pi, int256 rate) internal pure returns (int256 cash) {
        unchecked {
            // an arithmetic shift rounds toward minus infinity: the payer's ulp up, the receiver's down
            return (-pi * rate) >> PAYMENT_SHIFT;
        }
    }

    /// @dev {_fill} of a single leg, whose weight is 1.
    function _fillOne(Reading memory r, Curve.Data memory c, uint256 pos) private pure {
        Entry[] memory entries = r.entries;
        assembly ("memory-safe") {
            let entry := mload(add(add(entries, 32), shl(5, byte(0, mload(pos)))))
            let slot := add(entry, 32)
            mstore(slot, add(mload(slot), mload(add(c, 192)))) // cover: what can be sold
            slot := add(entry, 160)
            mstore(slot, add(mload(slot), 2)) // gross
            let rate := mload(add(c, 64))
            if rate {
                slot := add(entry, 64)
                mstore(slot, add(mload(slot), rate)) // fill
                slot := add(entry, 96)
                mstore(slot, add(mload(slot), mul(rate, sgt(rate, 0)))) // bought
            }
            slot := add(entry, 128)
            mstore(slot, add(mload(slot), shl(1, mload(add(c, 96))))) // tolerance, if sloped
        }
    }

    function _fill(Reading memory r, Curve.Data memory c, uint256 pos, uint256 end) private pure {
        Entry[] memory entries = r.entries;
        assembly ("memory-safe") {
            let rate := mload(add(c, 64))
            let sloped := mload(add(c, 96))
            for {} lt(pos, end) { pos := add(pos, 4) } {
                let weight := sar(232, shl(8, mload(pos)))
                let entry := mload(add(add(entries, 32), shl(5, byte(0, mload(pos)))))
                let sign := sar(255, weight)
                let size := sub(xor(weight, sign), sign)
                // cover: a positive leg delivers what is sold, a negative one what is bought
                let slot := add(entry, 32)
                mstore(slot, add(mload(slot), mul(size, mload(add(c, sub(192, and(sign, 32)))))))
                size := add(size, 1)
                slot := add(entry, 160)
                mstore(slot, add(mload(slot), size)) // gross
                if or(rate, sloped) {
                    let fill := mul(weight, rate) // < 2^20·2^92
                    slot := add(entry, 64)
                    mstore(slot, add(mload(slot), fill))
                    slot := add(entry, 96)
                    mstore(slot, add(mload(slot), mul(fill, sgt(fill, 0)))) // bought
                    slot := add(entry, 128)
                    mstore(slot, add(mload(slot), mul(size, sloped))) // tolerance
                }
            }
        }
    }

    /// @return {cash X40} ⌈price X40 · quantity X44⌉
    function valueUp(uint256 price, uint256 quantity) internal pure returns (uint256) {
        unchecked {
            return (price * quantity + (1 << LOT_BITS) - 1) >> LOT_BITS;
        }
    }
}
