// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, VoidReason} from "../interfaces/IWalras.sol";
import {Board, Line} from "./Board.sol";
import {
    AUTH_GAS,
    BYTE_GAS,
    ITEM_HEAD,
    LEG_GAS,
    MAX_CURVE_PRICE,
    MAX_LEGS,
    MAX_LISTED,
    MAX_STEPS,
    MAX_WEIGHT,
    PAYMENT_SHIFT,
    PRICE_BYTES,
    PRODUCT_GAS,
    STEP_GAS,
    SUBMISSION_GAS,
    UNIT_BYTES,
    UNIT_GAS
} from "./Constants.sol";
import {Curve} from "./Curve.sol";

/// @dev What a submission asks of one of its products, and gets at the posted prices.
struct Entry {
    Line line;
    uint256 cover; // {lot} most it can sell
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
    int256 pi; // {cash X84}
    Curve.Side buy;
    Curve.Side sell;
}

/// @dev One submission at the posted prices. Reused for every account of a settlement, so that memory does not grow with them.
struct Reading {
    Entry[] entries; // room for the longest list that finds its prices
    Auth auth;
    uint256 count; // products listed
    uint256 used; // bit per product that is a leg
    uint256 cover; // {cash X40} most it can pay
    int256 cash; // {cash X40} received
    uint256 loss; // {cash X40 / portfolio unit^2}
    uint256 gas; // bound on what its settlement spends
    uint256 gasLimit; // declared
    uint256 validUntil; // {s} 0: no end
    bool homed; // the account got its home product by this submission
}

/// @dev Total decoding and evaluation of submissions, in one pass: any bytes are one submission or one void reason. docs/SPEC.md §2 and §3, rules 1 to 5.
library Submission {
    uint256 internal constant HEAD = 7; // {byte} kind, validUntil, nProducts
    uint256 internal constant LEG_BYTES = 4;
    uint256 internal constant ENTRY_SIZE = 224; // {byte} of an {Entry} in memory

    /// @dev A reading with room for all posted products. Memory is never given back, so room that grew with the lists would be paid again and again;
    /// an entry is written before it is read, so it needs no zeros.
    function reserve(uint256 posted) internal pure returns (Reading memory r) {
        Entry[] memory entries;
        uint256 size = ENTRY_SIZE;
        uint256 count = posted < MAX_LISTED ? posted : MAX_LISTED;
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(entries, count)
            let place := add(entries, 32)
            let entry := add(place, shl(5, count))
            for { let end := entry } lt(place, end) { place := add(place, 32) } {
                mstore(place, entry)
                entry := add(entry, size)
            }
            mstore(0x40, entry)
        }
        r.entries = entries;
    }

    /// @param pos memory address of the body
    /// @param end memory address behind it
    /// @param length {byte} of the ciphertext @param units declared
    function read(Reading memory r, Board.Data memory board, uint256 pos, uint256 end, uint256 length, uint256 units)
        internal
        pure
        returns (VoidReason)
    {
        unchecked {
            uint256 auths;
            VoidReason reason;
            (pos, auths, reason) = _head(r, board, pos, end, length, units);
            for (; auths != 0 && reason == VoidReason.NONE; --auths) {
                (pos, reason) = _auth(r, pos, end);
            }
            if (reason == VoidReason.NONE && (pos != end || r.used != (1 << r.count) - 1)) return VoidReason.MALFORMED;
            return reason;
        }
    }

    /// @dev Rules 1 to 3.
    function _head(Reading memory r, Board.Data memory board, uint256 pos, uint256 end, uint256 length, uint256 units)
        private
        pure
        returns (uint256, uint256 auths, VoidReason)
    {
        unchecked {
            if (pos + HEAD > end) return (pos, 0, VoidReason.MALFORMED);
            uint256 word = _load(pos);
            uint256 count = (word >> 200) & 255;
            uint256 list = pos + HEAD;
            pos = list + 2 * count + 2;
            if (pos > end) return (pos, 0, VoidReason.MALFORMED);
            uint256 tail = _load(pos - 2);
            auths = tail >> 248;
            bool reserved = word >> 248 != 0 || (tail >> 240) & 255 != 0;
            if (reserved || count == 0 || count > MAX_LISTED || auths == 0 || auths > MAX_LISTED) {
                return (pos, 0, VoidReason.MALFORMED);
            }
            r.validUntil = (word >> 208) & type(uint40).max;
            r.gasLimit = units * UNIT_GAS;
            r.gas = SUBMISSION_GAS + BYTE_GAS * length + PRODUCT_GAS * count;
            bool oversized = r.gas > r.gasLimit || length + ITEM_HEAD + PRICE_BYTES * count > UNIT_BYTES * units;
            if (oversized) return (pos, 0, VoidReason.OVERSIZED);
            (r.count, r.used, r.cover, r.cash, r.loss) = (count, 0, 0, 0, 0);
            return (pos, auths, _list(r, board, list) ? VoidReason.NONE : VoidReason.MALFORMED);
        }
    }

    function _list(Reading memory r, Board.Data memory board, uint256 list) private pure returns (bool) {
        unchecked {
            uint256 next;
            uint256 count = r.count;
            for (uint256 i; i < count; ++i) {
                uint256 id = _load(list + 2 * i) >> 240;
                if (id < next || id >= board.places.length) return false;
                next = id + 1;
            }
            for (uint256 i; i < count; ++i) {
                uint256 id = _load(list + 2 * i) >> 240;
                uint256 place = board.places[id];
                if (place == 0) revert IWalras.PriceMissing(uint16(id));
                Entry memory e = r.entries[i];
                e.line = board.lines[place - 1];
                e.line.used = true;
                (e.cover, e.fill, e.bought, e.tolerance, e.gross) = (0, 0, 0, 0, 0);
            }
            return true;
        }
    }

    /// @dev Rule 4 for one auth, and its demand.
    function _auth(Reading memory r, uint256 pos, uint256 end) private pure returns (uint256 next, VoidReason) {
        unchecked {
            if (pos + 4 > end) return (pos, VoidReason.MALFORMED);
            uint256 head = _load(pos) >> 224;
            uint256 legs = (head >> 16) & 255;
            uint256 buys = (head >> 8) & 255;
            uint256 sells = head & 255;
            Auth memory a = r.auth;
            (a.gross, a.tau, a.pi) = (0, 0, 0);
            a.legs = pos + 4;
            a.end = a.legs + LEG_BYTES * legs;
            next = a.end + 16 + (buys != 0 && sells != 0 ? 14 : 0) + Curve.STEP_BYTES * (buys + sells);
            if (
                next > end || head >> 24 != 0 || legs == 0 || legs > MAX_LEGS || buys > MAX_STEPS || sells > MAX_STEPS
                    || buys + sells == 0
            ) {
                return (next, VoidReason.MALFORMED);
            }
            r.gas += AUTH_GAS + LEG_GAS * legs + STEP_GAS * (buys + sells);
            if (r.gas > r.gasLimit) return (next, VoidReason.OVERSIZED);
            if (!_terms(r, a)) return (next, VoidReason.MALFORMED);
            return (next, _demand(r, a, buys, sells) ? VoidReason.NONE : VoidReason.MALFORMED);
        }
    }

    /// @dev Legs: gross weight, least fall, portfolio price.
    function _terms(Reading memory r, Auth memory a) private pure returns (bool) {
        unchecked {
            uint256 next;
            for (uint256 pos = a.legs; pos < a.end; pos += LEG_BYTES) {
                uint256 word = _load(pos);
                uint256 index = word >> 248;
                int256 weight = int256(word << 8) >> 232;
                uint256 size = _abs(weight);
                if (index < next || index >= r.count || size == 0 || size > MAX_WEIGHT) return false;
                next = index + 1;
                r.used |= 1 << index;
                Line memory line = r.entries[index].line;
                a.gross += size;
                a.tau += size * line.tick;
                a.pi += weight * line.price;
            }
            return a.end - a.legs != LEG_BYTES || int256(_load(a.legs) << 8) >> 232 == 1;
        }
    }

    /// @dev Curve: demand at the portfolio price, cover, payment.
    function _demand(Reading memory r, Auth memory a, uint256 buys, uint256 sells) private pure returns (bool) {
        unchecked {
            uint256 pos = a.end + 16;
            int256 bid = int256(_load(a.end)) >> 128;
            int256 ask = bid;
            if (buys != 0 && sells != 0) {
                ask += int256(_load(pos) >> 144);
                pos += 14;
            }
            if (bid > MAX_CURVE_PRICE || bid < -MAX_CURVE_PRICE || ask > MAX_CURVE_PRICE) return false;
            Curve.Side memory buy = a.buy;
            Curve.Side memory sell = a.sell;
            Curve.demand(buy, pos, buys, bid, a.pi, a.gross, a.tau);
            Curve.demand(sell, pos + Curve.STEP_BYTES * buys, sells, -ask, -a.pi, a.gross, a.tau);
            if (!buy.valid || !sell.valid) return false;
            int256 rate = int256(buy.rate) - int256(sell.rate);
            uint256 pay = bid > 0 ? uint256(bid) * buy.total : 0;
            uint256 payToSell = ask < 0 ? uint256(-ask) * sell.total : 0;
            r.cover += pay > payToSell ? pay : payToSell;
            // |pi|·|rate| < 2^162·2^92; an arithmetic shift rounds toward minus infinity: the payer's ulp up, the receiver's down
            r.cash += (-a.pi * rate) >> PAYMENT_SHIFT;
            r.loss += buy.loss + sell.loss;
            _fill(r, a, rate);
            return true;
        }
    }

    function _fill(Reading memory r, Auth memory a, int256 rate) private pure {
        unchecked {
            bool sloped = a.buy.sloped || a.sell.sloped;
            for (uint256 pos = a.legs; pos < a.end; pos += LEG_BYTES) {
                uint256 word = _load(pos);
                Entry memory e = r.entries[word >> 248];
                int256 weight = int256(word << 8) >> 232;
                uint256 size = _abs(weight);
                e.cover += size * (weight > 0 ? a.sell.total : a.buy.total);
                e.gross += size + 1;
                if (sloped) e.tolerance += size + 1;
                int256 fill = weight * rate; // < 2^20·2^92
                e.fill += fill;
                if (fill > 0) e.bought += uint256(fill);
            }
        }
    }

    function _load(uint256 pos) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(pos)
        }
    }

    function _abs(int256 x) private pure returns (uint256) {
        unchecked {
            return uint256(x < 0 ? -x : x);
        }
    }
}
