// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Amendment, IWalras, Run, VoidReason} from "../interfaces/IWalras.sol";
import {AccountWords} from "./AccountWords.sol";
import {Board} from "./Board.sol";
import {Certificate} from "./Certificate.sol";
import {ITEM_HEAD, MAX_COSTS, MAX_LISTED, SHADOW_BYTES, UNIT_BYTES} from "./Constants.sol";
import {Costs} from "./Costs.sol";
import {Effects} from "./Effects.sol";
import {Ledger} from "./Ledger.sol";
import {Market} from "./Market.sol";
import {Seal} from "./Seal.sol";
import {Input, Reading, Submission} from "./Submission.sol";

/// @dev What lock-out fixed.
struct Terms {
    uint32 batch;
    bytes32 id;
    uint256 secret;
    uint256 lockOut; // {s}
    uint256 productCount;
    uint256 live;
    uint256 rentIndex; // up to this batch
    uint256 mark; // rent index after it
    uint256 unitRent; // {cash X40 / unit / tick}
}

/// @dev The account at hand, and room for the next: memory does not grow with them.
struct Work {
    Account account;
    Reading reading;
    Input input;
    Effects.Data effects;
    uint256 buffer;
    VoidReason reason;
    bool solvent; // can pay this batch's rent
    bool changed; // its word
    bool hashed; // its second word
}

/// @dev The pass over a batch or a chunk of it: open, decode, status, trade, what stands. docs/SPEC.md §6 and §9.
library Pass {
    using AccountWords for Account;
    using Effects for Effects.Data;
    using Ledger for Ledger.Data;

    uint256 private constant LONGEST = UNIT_BYTES * type(uint8).max; // {byte} of what can be sealed
    uint256 private constant DONE_BYTES = 16;

    function prepare() internal pure returns (Work memory w) {
        w.buffer = Seal.allocate(LONGEST + DONE_BYTES * MAX_LISTED + SHADOW_BYTES * MAX_COSTS);
    }

    /// @dev Accounts of `data` in order, after those `run` has listed.
    function accounts(
        Market.State storage s,
        Board.Data memory board,
        Terms memory t,
        Run memory run,
        Work memory w,
        bytes calldata data
    ) internal {
        uint256 offset;
        while (offset != data.length) {
            offset = _item(s, board, t, run, w, data, offset);
        }
    }

    /// @return next offset behind the item
    function _item(
        Market.State storage s,
        Board.Data memory board,
        Terms memory t,
        Run memory run,
        Work memory w,
        bytes calldata data,
        uint256 offset
    ) private returns (uint256 next) {
        (address owner, uint256 length) = _head(w.input, data, offset);
        next = offset + ITEM_HEAD + length + DONE_BYTES * w.input.doneCount + SHADOW_BYTES * w.input.shadowCount;
        if (next > data.length) revert IWalras.TruncatedData();
        if (uint160(owner) <= uint160(run.last)) revert IWalras.AccountsNotAscending(owner);
        run.last = owner;

        Account memory a = w.account;
        s.ledger.accounts[owner].load(a);
        uint256 flags = a.flags;
        bool standing = flags & AccountWords.STANDING != 0;
        if (standing ? flags & AccountWords.PAUSED != 0 : a.batch != t.batch) revert IWalras.AccountNotLive(owner);
        (w.solvent, w.changed, w.hashed) = (true, false, false);
        unchecked {
            ++run.listed;
        }
        bytes calldata parts = data[offset + ITEM_HEAD:next];
        if (standing) {
            _charge(t, run, w);
            w.reason = _stood(board, t, w, owner, parts, length);
        } else {
            w.reason = _sealed(board, t, w, owner, parts, length);
        }
        if (w.reason == VoidReason.NONE) w.reason = s.ledger.cover(owner, a, w.reading, w.solvent);
        if (w.reason == VoidReason.NONE) {
            _trade(s, run, w, owner);
        } else {
            unchecked {
                ++run.voids;
            }
            emit IWalras.Voided(t.batch, owner, w.reason);
        }
        if (standing) _stay(t, run, w, owner);
        else if (w.reading.kind == 1) _join(t, run, w, owner);
        if (flags & AccountWords.AMENDED != 0) next = _amend(s, board, t, run, w, owner, data, next);
        _write(s, w, owner);
    }

    /// @dev account(20) | len u16 | shadows u8 | limits u8
    function _head(Input memory input, bytes calldata data, uint256 offset)
        private
        pure
        returns (address owner, uint256 length)
    {
        unchecked {
            uint256 head;
            assembly ("memory-safe") {
                head := calldataload(add(data.offset, offset))
            }
            owner = address(uint160(head >> 96));
            length = uint16(head >> 80);
            (input.shadowCount, input.doneCount) = (uint8(head >> 72), uint8(head >> 64));
            // more than any submission has, and than the buffer holds
            if (length > LONGEST || input.shadowCount > MAX_COSTS || input.doneCount > MAX_LISTED) {
                revert IWalras.WrongItem(owner);
            }
        }
    }

    /// @dev Rent owed from before, and of this batch if the account can pay it. From here its cash is net.
    function _charge(Terms memory t, Run memory run, Work memory w) private pure {
        Account memory a = w.account;
        uint256 rent = a.units * t.unitRent;
        uint256 cash = a.cash - rent * (t.rentIndex - a.batch);
        rent *= t.mark - t.rentIndex;
        w.solvent = rent <= cash;
        if (w.solvent) {
            cash -= rent;
            run.rent += rent;
        }
        (a.cash, a.batch) = (uint96(cash), uint32(t.mark));
    }

    /// @dev A standing submission, up to rule 7.
    function _stood(
        Board.Data memory board,
        Terms memory t,
        Work memory w,
        address owner,
        bytes calldata parts,
        uint256 length
    ) private pure returns (VoidReason) {
        unchecked {
            Input memory input = w.input;
            input.pos = Seal.load(w.buffer, Seal.TAG_STAND, bytes32(length), parts);
            input.end = input.pos + length;
            (input.length, input.units) = (Seal.BODY + length, w.account.units);
            input.done = input.end;
            input.shadows = input.end + DONE_BYTES * input.doneCount;
            if (Seal.hash(input.pos, input.shadows) != w.account.sealHash) revert IWalras.WrongCiphertext(owner);
            return _read(board, t, w);
        }
    }

    /// @dev A sealed one, up to rule 7.
    function _sealed(
        Board.Data memory board,
        Terms memory t,
        Work memory w,
        address owner,
        bytes calldata parts,
        uint256 length
    ) private pure returns (VoidReason) {
        unchecked {
            Input memory input = w.input;
            if (input.doneCount != 0) revert IWalras.WrongItem(owner);
            uint256 body = _open(t, w, owner, parts, length, w.account.sealHash);
            if (body == 0) {
                if (input.shadowCount != 0) revert IWalras.ShadowsMismatch(input.shadowCount, 0);
                w.reading.kind = 0;
                return VoidReason.UNOPENED;
            }
            (input.pos, input.length, input.units) = (body, length, w.account.units);
            input.shadows = input.end;
            return _read(board, t, w);
        }
    }

    /// @return body 0 if the ciphertext does not open
    function _open(Terms memory t, Work memory w, address owner, bytes calldata parts, uint256 length, bytes32 sealHash)
        private
        pure
        returns (uint256 body)
    {
        unchecked {
            uint256 pos = Seal.load(w.buffer, Seal.TAG_SEAL, t.id, parts);
            w.input.end = pos + length;
            if (Seal.hash(pos, pos + length) != sealHash) revert IWalras.WrongCiphertext(owner);
            return Seal.open(w.buffer, pos, length, t.id, t.secret, owner);
        }
    }

    function _read(Board.Data memory board, Terms memory t, Work memory w) private pure returns (VoidReason reason) {
        Reading memory r = w.reading;
        reason = Submission.read(r, board, w.input);
        if (reason == VoidReason.NONE && r.validUntil != 0 && r.validUntil < t.lockOut) return VoidReason.EXPIRED;
    }

    function _trade(Market.State storage s, Run memory run, Work memory w, address owner) private {
        Reading memory r = w.reading;
        if (r.costs != 0) Costs.check(r, owner);
        Certificate.add(r);
        unchecked {
            run.cash += r.cash;
            run.slopes += r.loss;
            run.costLoss += r.costLoss;
            run.costSpan += r.costSpan;
        }
        w.changed = s.ledger.trade(owner, w.account, r, w.effects);
    }

    /* ------------------------------------------- what stands ------------------------------------------- */

    /// @dev Whether and how a standing submission goes on.
    function _stay(Terms memory t, Run memory run, Work memory w, address owner) private {
        Account memory a = w.account;
        bool uncovered = w.reason == VoidReason.UNCOVERED;
        uint256 before = a.flags & AccountWords.UNCOVERED;
        bool ends = uncovered ? before != 0 : w.reason != VoidReason.NONE;
        if (w.reason == VoidReason.NONE && w.reading.limits != 0) _progress(w);
        if (ends || _complete(w)) return _end(t, run, w, owner);
        uint256 later = uncovered ? AccountWords.UNCOVERED : 0;
        if (before != later) w.changed = true;
        a.flags = uint8(AccountWords.STANDING | later);
    }

    function _end(Terms memory t, Run memory run, Work memory w, address owner) private {
        Account memory a = w.account;
        unchecked {
            --run.standing;
            run.standingUnits -= int256(uint256(a.units));
        }
        (a.flags, a.batch, a.units) = (0, 0, 0);
        (w.changed, w.hashed) = (true, false);
        emit IWalras.Ended(t.batch, owner);
    }

    /// @dev A first seal that is to stand, once rules 1 to 9 hold.
    function _join(Terms memory t, Run memory run, Work memory w, address owner) private {
        bool uncovered = w.reason == VoidReason.UNCOVERED;
        if ((w.reason != VoidReason.NONE && !uncovered) || _complete(w)) return;
        Account memory a = w.account;
        unchecked {
            ++run.standing;
            run.standingUnits += int256(uint256(a.units));
        }
        if (uncovered) _clearProgress(w);
        _progress(w);
        w.hashed = true;
        a.flags = uint8(AccountWords.STANDING | (uncovered ? AccountWords.UNCOVERED : 0));
        a.batch = uint32(t.mark);
        w.changed = true;
        emit IWalras.Joined(t.batch, owner);
    }

    /// @dev The amendment behind the item, if it was sealed in this batch. @return next offset behind it
    function _amend(
        Market.State storage s,
        Board.Data memory board,
        Terms memory t,
        Run memory run,
        Work memory w,
        address owner,
        bytes calldata data,
        uint256 offset
    ) private returns (uint256 next) {
        Amendment storage amendment = s.amendments[owner];
        if (amendment.batch != t.batch) return offset;
        unchecked {
            next = offset + 2;
            if (next > data.length) revert IWalras.TruncatedData();
            uint256 length = uint16(bytes2(data[offset:next]));
            (offset, next) = (next, next + length);
            if (next > data.length) revert IWalras.TruncatedData();
            if (length > LONGEST) revert IWalras.WrongItem(owner);
        }
        w.changed = true; // it is used up
        uint256 units = amendment.units;
        bytes calldata ct = data[offset:next];
        bytes32 sealHash = amendment.sealHash;
        bool replaced = _replaces(board, t, w, owner, ct, sealHash, units);
        if (replaced) _replace(t, run, w, units);
        emit IWalras.Amended(t.batch, owner, replaced);
    }

    /// @dev Rules 1 to 6 and 8, and kind 1.
    function _replaces(
        Board.Data memory board,
        Terms memory t,
        Work memory w,
        address owner,
        bytes calldata ct,
        bytes32 sealHash,
        uint256 units
    ) private pure returns (bool) {
        Input memory input = w.input;
        uint256 body = _open(t, w, owner, ct, ct.length, sealHash);
        if (body == 0) return false;
        (input.pos, input.length, input.units) = (body, ct.length, units);
        (input.shadowCount, input.doneCount) = (0, 0);
        Reading memory r = w.reading;
        return Submission.decode(r, board, input) == VoidReason.NONE && r.kind == 1 && Ledger.fits(w.account, r);
    }

    function _replace(Terms memory t, Run memory run, Work memory w, uint256 units) private pure {
        Account memory a = w.account;
        unchecked {
            if (a.flags == 0) ++run.standing;
            run.standingUnits += int256(units) - int256(uint256(a.units));
        }
        (a.flags, a.batch, a.units) = (uint8(AccountWords.STANDING), uint32(t.mark), uint8(units));
        _clearProgress(w);
        _progress(w);
        w.hashed = true;
    }

    /// @dev Every auth has limits and nothing left, by what really traded.
    function _complete(Work memory w) private pure returns (bool) {
        Reading memory r = w.reading;
        if (!r.complete || w.reason == VoidReason.NONE) return r.complete && w.reason == VoidReason.NONE;
        // it was uncovered: what it would have traded has to be nothing
        for (uint256 i; i < r.limits; ++i) {
            if (r.progress[i] != _done(w.input, i)) return false;
        }
        return true;
    }

    function _done(Input memory input, uint256 i) private pure returns (int256 done) {
        if (i >= input.doneCount) return 0;
        uint256 pos = input.done + DONE_BYTES * i;
        assembly ("memory-safe") {
            done := sar(128, mload(pos))
        }
    }

    function _clearProgress(Work memory w) private pure {
        Reading memory r = w.reading;
        for (uint256 i; i < r.limits; ++i) {
            r.progress[i] = 0;
        }
    }

    /// @dev The standing hash of the body with the progress of the reading, written behind it.
    function _progress(Work memory w) private pure {
        Reading memory r = w.reading;
        Input memory input = w.input;
        unchecked {
            uint256 pos = input.end;
            for (uint256 i; i < r.limits; ++i) {
                int256 done = r.progress[i];
                assembly ("memory-safe") {
                    mstore(pos, shl(128, done))
                }
                pos += DONE_BYTES;
            }
            bytes32 hash = Seal.standHash(input.pos, input.end - input.pos, r.limits);
            if (hash != w.account.sealHash) (w.account.sealHash, w.hashed) = (hash, true);
        }
    }

    function _write(Market.State storage s, Work memory w, address owner) private {
        Account memory a = w.account;
        if (w.effects.start == 0) {
            Account storage stored = s.ledger.accounts[owner];
            if (w.changed) stored.set(a.pack());
            if (w.hashed) stored.sealHash = a.sealHash;
        } else {
            if (a.flags == 0) (a.batch, a.units) = (0, 0);
            w.effects.complete(owner, a.pack(), w.hashed, a.sealHash);
        }
    }
}
