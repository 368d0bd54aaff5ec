// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Amendment, IWalras, Run, VoidReason} from "../interfaces/IWalras.sol";
import {AccountWords, Holding} from "./AccountWords.sol";
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
    uint256 batch;
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
    Holding account;
    Reading reading;
    Input input;
    Effects.Data effects;
    uint256 buffer;
    bool changed; // the account's word
    bytes32 sealHash; // its second word as stored
}

/// @dev The pass over a batch or a chunk of it: open, decode, status, trade, what stands. docs/SPEC.md §6 and §9.
library Pass {
    using AccountWords for Account;
    using AccountWords for Holding;
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
        uint256 end;
        assembly ("memory-safe") {
            offset := data.offset
            end := add(offset, data.length)
        }
        while (offset != end) {
            offset = _item(s, board, t, run, w, offset, end);
        }
    }

    /// @param offset of the item in calldata @param end behind the last @return next behind the item
    function _item(
        Market.State storage s,
        Board.Data memory board,
        Terms memory t,
        Run memory run,
        Work memory w,
        uint256 offset,
        uint256 end
    ) private returns (uint256 next) {
        unchecked {
            address owner;
            uint256 length;
            (owner, length, next) = _head(w.input, offset, end);
            if (uint160(owner) <= uint160(run.last)) revert IWalras.AccountsNotAscending(owner);
            run.last = owner;
            ++run.listed;

            Holding memory a = w.account;
            Account storage stored = s.ledger.accounts[owner];
            stored.load(a);
            uint256 flags = a.flags;
            bool standing = flags & AccountWords.STANDING != 0;
            if (standing ? flags & AccountWords.PAUSED != 0 : a.batch != t.batch) revert IWalras.AccountNotLive(owner);
            (w.changed, w.sealHash) = (false, a.sealHash);

            offset += ITEM_HEAD;
            bool solvent = !standing || _charge(t, run, a);
            VoidReason reason =
                standing ? _stood(board, t, w, owner, offset, length) : _sealed(board, t, w, owner, offset, length);
            if (reason == VoidReason.NONE) reason = s.ledger.cover(owner, a, w.reading, solvent);
            if (reason == VoidReason.NONE) {
                _trade(s, run, w, owner);
            } else {
                ++run.voids;
                emit IWalras.Voided(uint32(t.batch), owner, reason);
            }
            if (standing) _stay(t, run, w, owner, reason);
            else if (w.reading.kind == 1) _join(t, run, w, owner, reason);
            if (flags & AccountWords.AMENDED != 0) next = _amend(s, board, t, run, w, owner, next, end);
            _write(stored, w, owner);
        }
    }

    /// @dev account(20) | len u16 | shadows u8 | limits u8 | payload | …
    function _head(Input memory input, uint256 offset, uint256 end)
        private
        pure
        returns (address owner, uint256 length, uint256 next)
    {
        unchecked {
            uint256 head;
            assembly ("memory-safe") {
                head := calldataload(offset)
            }
            owner = address(uint160(head >> 96));
            length = (head >> 80) & 0xffff;
            uint256 shadows = (head >> 72) & 0xff;
            uint256 limits = (head >> 64) & 0xff;
            next = offset + ITEM_HEAD + length + DONE_BYTES * limits + SHADOW_BYTES * shadows;
            if (next > end) revert IWalras.TruncatedData();
            // more than any submission has, and than the buffer holds
            if (length > LONGEST || shadows > MAX_COSTS || limits > MAX_LISTED) revert IWalras.WrongItem(owner);
            (input.shadowCount, input.doneCount) = (shadows, limits);
        }
    }

    /// @dev Rent owed from before, and of this batch if the account can pay it. From here its cash is net.
    function _charge(Terms memory t, Run memory run, Holding memory a) private pure returns (bool solvent) {
        uint256 rent = a.units * t.unitRent;
        // it could pay what it owes, or it would have ended
        uint256 cash = a.cash - rent * (t.rentIndex - a.batch);
        unchecked {
            rent *= t.mark - t.rentIndex;
            solvent = rent <= cash;
            if (solvent) {
                cash -= rent;
                run.rent += rent;
            }
        }
        (a.cash, a.batch) = (cash, t.mark);
    }

    /// @dev A standing submission, up to rule 7.
    function _stood(
        Board.Data memory board,
        Terms memory t,
        Work memory w,
        address owner,
        uint256 offset,
        uint256 length
    ) private pure returns (VoidReason) {
        unchecked {
            Input memory input = w.input;
            uint256 done = DONE_BYTES * input.doneCount;
            uint256 size = length + done + SHADOW_BYTES * input.shadowCount;
            uint256 pos = Seal.load(w.buffer, Seal.TAG_STAND, bytes32(length), offset, size);
            if (Seal.hash(pos, length + done) != w.sealHash) revert IWalras.WrongCiphertext(owner);
            (input.pos, input.end, input.done) = (pos, pos + length, pos + length);
            input.shadows = pos + length + done;
            (input.length, input.units) = (Seal.BODY + length, w.account.units);
            return _read(board, t, w);
        }
    }

    /// @dev A sealed one, up to rule 7.
    function _sealed(
        Board.Data memory board,
        Terms memory t,
        Work memory w,
        address owner,
        uint256 offset,
        uint256 length
    ) private pure returns (VoidReason) {
        unchecked {
            Input memory input = w.input;
            if (input.doneCount != 0) revert IWalras.WrongItem(owner);
            input.units = w.account.units;
            uint256 shadows = SHADOW_BYTES * input.shadowCount;
            if (!_open(t, w, owner, offset, length, shadows, w.sealHash)) {
                if (input.shadowCount != 0) revert IWalras.ShadowsMismatch(input.shadowCount, 0);
                w.reading.kind = 0;
                return VoidReason.UNOPENED;
            }
            input.shadows = input.end;
            return _read(board, t, w);
        }
    }

    /// @param behind {byte} to copy too
    function _open(
        Terms memory t,
        Work memory w,
        address owner,
        uint256 offset,
        uint256 length,
        uint256 behind,
        bytes32 sealHash
    ) private pure returns (bool) {
        unchecked {
            Input memory input = w.input;
            uint256 pos = Seal.load(w.buffer, Seal.TAG_SEAL, t.id, offset, length + behind);
            if (Seal.hash(pos, length) != sealHash) revert IWalras.WrongCiphertext(owner);
            uint256 body = Seal.open(w.buffer, pos, length, t.id, t.secret, owner);
            (input.pos, input.end, input.length) = (body, pos + length, length);
            return body != 0;
        }
    }

    function _read(Board.Data memory board, Terms memory t, Work memory w) private pure returns (VoidReason reason) {
        Reading memory r = w.reading;
        reason = Submission.read(r, board, w.input);
        if (reason == VoidReason.NONE && r.validUntil != 0 && r.validUntil < t.lockOut) return VoidReason.EXPIRED;
    }

    function _trade(Market.State storage s, Run memory run, Work memory w, address owner) private {
        unchecked {
            Reading memory r = w.reading;
            if (r.costs != 0) {
                Costs.check(r, owner);
                run.costLoss += r.costLoss;
                run.costSpan += r.costSpan;
            }
            Certificate.add(r);
            run.cash += r.cash;
            run.slopes += r.loss;
            w.changed = s.ledger.trade(owner, w.account, r, w.effects);
        }
    }

    /* ------------------------------------------- what stands ------------------------------------------- */

    /// @dev Whether and how a standing submission goes on.
    function _stay(Terms memory t, Run memory run, Work memory w, address owner, VoidReason reason) private {
        unchecked {
            Holding memory a = w.account;
            uint256 before = a.flags & AccountWords.UNCOVERED;
            uint256 later;
            bool ends;
            if (reason == VoidReason.NONE) {
                ends = w.reading.complete;
                if (w.reading.limits != 0 && !ends) _progress(w);
            } else if (reason == VoidReason.UNCOVERED) {
                ends = before != 0 || _spent(w);
                later = AccountWords.UNCOVERED;
            } else {
                ends = true;
            }
            if (ends) return _end(t, run, w, owner);
            if (before != later) w.changed = true;
            a.flags = AccountWords.STANDING | later;
        }
    }

    function _end(Terms memory t, Run memory run, Work memory w, address owner) private {
        unchecked {
            Holding memory a = w.account;
            --run.standing;
            run.standingUnits -= int256(a.units);
            (a.flags, a.batch, a.units) = (0, 0, 0);
            w.changed = true;
            emit IWalras.Ended(uint32(t.batch), owner);
        }
    }

    /// @dev A first seal that is to stand, once rules 1 to 9 hold.
    function _join(Terms memory t, Run memory run, Work memory w, address owner, VoidReason reason) private {
        unchecked {
            Holding memory a = w.account;
            if (reason == VoidReason.NONE) {
                if (w.reading.complete) return;
                a.flags = AccountWords.STANDING;
            } else {
                if (reason != VoidReason.UNCOVERED || _spent(w)) return;
                a.flags = AccountWords.STANDING | AccountWords.UNCOVERED;
                _clear(w.reading);
            }
            ++run.standing;
            run.standingUnits += int256(a.units);
            a.batch = t.mark;
            w.changed = true;
            _progress(w);
            emit IWalras.Joined(uint32(t.batch), owner);
        }
    }

    /// @dev The amendment behind the item, if it was sealed in this batch. @return next behind it
    function _amend(
        Market.State storage s,
        Board.Data memory board,
        Terms memory t,
        Run memory run,
        Work memory w,
        address owner,
        uint256 offset,
        uint256 end
    ) private returns (uint256 next) {
        unchecked {
            Amendment storage amendment = s.amendments[owner];
            if (amendment.batch != t.batch) return offset;
            uint256 length;
            assembly ("memory-safe") {
                length := shr(240, calldataload(offset))
            }
            offset += 2;
            next = offset + length;
            if (next > end) revert IWalras.TruncatedData();
            if (length > LONGEST) revert IWalras.WrongItem(owner);
            w.changed = true; // it is used up
            w.input.units = amendment.units;
            bool replaced = _open(t, w, owner, offset, length, 0, amendment.sealHash) && _replaces(board, w);
            if (replaced) _replace(t, run, w);
            emit IWalras.Amended(uint32(t.batch), owner, replaced);
        }
    }

    /// @dev Rules 1 to 6 and 8, and kind 1.
    function _replaces(Board.Data memory board, Work memory w) private pure returns (bool) {
        (w.input.shadowCount, w.input.doneCount) = (0, 0);
        Reading memory r = w.reading;
        return Submission.decode(r, board, w.input) == VoidReason.NONE && r.kind == 1 && Ledger.fits(w.account, r);
    }

    function _replace(Terms memory t, Run memory run, Work memory w) private pure {
        unchecked {
            Holding memory a = w.account;
            uint256 units = w.input.units;
            if (a.flags == 0) ++run.standing;
            run.standingUnits += int256(units) - int256(a.units);
            (a.flags, a.batch, a.units) = (AccountWords.STANDING, t.mark, units);
            _clear(w.reading);
            _progress(w);
        }
    }

    /// @dev Whether every auth had nothing left before the batch: then it would have moved nothing.
    function _spent(Work memory w) private pure returns (bool) {
        unchecked {
            Reading memory r = w.reading;
            if (!r.complete) return false;
            uint256 pos = w.input.done;
            for (uint256 i; i < r.limits; ++i) {
                int256 done;
                assembly ("memory-safe") {
                    done := sar(128, mload(pos))
                }
                if (r.progress[i] != (i < w.input.doneCount ? done : int256(0))) return false;
                pos += DONE_BYTES;
            }
            return true;
        }
    }

    function _clear(Reading memory r) private pure {
        unchecked {
            for (uint256 i; i < r.limits; ++i) {
                r.progress[i] = 0;
            }
        }
    }

    /// @dev The standing hash of the body with the progress of the reading, written behind it.
    function _progress(Work memory w) private pure {
        unchecked {
            Input memory input = w.input;
            int256[] memory progress = w.reading.progress;
            uint256 limits = w.reading.limits;
            uint256 pos = input.end;
            for (uint256 i; i < limits; ++i) {
                int256 done = progress[i];
                assembly ("memory-safe") {
                    mstore(pos, shl(128, done))
                }
                pos += DONE_BYTES;
            }
            w.account.sealHash = Seal.standHash(input.pos, input.end - input.pos, limits);
        }
    }

    function _write(Account storage stored, Work memory w, address owner) private {
        Holding memory a = w.account;
        bool hashed = a.sealHash != w.sealHash;
        if (w.effects.start == 0) {
            if (w.changed) stored.set(a.pack());
            if (hashed) stored.sealHash = a.sealHash;
        } else {
            if (a.flags == 0) (a.batch, a.units) = (0, 0);
            w.effects.complete(owner, a.pack(), hashed, a.sealHash);
        }
    }
}
