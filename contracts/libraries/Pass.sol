// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Amendment, IWalras, Run, VoidReason} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords, Holding} from "./AccountWords.sol";
import {Board} from "./Board.sol";
import {Certificate} from "./Certificate.sol";
import {ITEM_HEAD, MAX_COSTS, MAX_LISTED, SHADOW_BYTES, UNIT_BYTES} from "./Constants.sol";
import {Costs} from "./Costs.sol";
import {Effects} from "./Effects.sol";
import {Ledger} from "./Ledger.sol";
import {Market} from "./Market.sol";
import {Reasons} from "./Reasons.sol";
import {Seal} from "./Seal.sol";
import {Single} from "./Single.sol";
import {Input, Reading, Submission} from "./Submission.sol";
import {Wire} from "./Wire.sol";
import {Terms, Work} from "./Work.sol";

/// @dev The pass over a batch or a chunk of it: open, decode, status, trade, what stands. docs/SPEC.md §6 and §9.
library Pass {
    using AccountWords for Account;
    using AccountWords for Holding;
    using Effects for Effects.Data;
    using Ledger for Ledger.Data;

    uint256 private constant LONGEST = UNIT_BYTES * type(uint8).max; // {byte} of what can be sealed
    uint256 private constant DONE_BYTES = 16;

    function prepare(Board.Data memory board, Terms memory t, Run memory run) internal pure returns (Work memory w) {
        w.buffer = Seal.allocate(LONGEST + DONE_BYTES * MAX_LISTED + SHADOW_BYTES * MAX_COSTS);
        (w.board, w.terms, w.run) = (board, t, run);
    }

    /// @dev Accounts of `data` in order, after those the run has listed.
    function accounts(Market.State storage s, Work memory w, bytes calldata data) internal {
        uint256 offset;
        uint256 end;
        assembly ("memory-safe") {
            offset := data.offset
            end := add(offset, data.length)
        }
        while (offset != end) {
            _head(w, offset, end);
            _item(s, w, end);
            offset = w.next;
        }
    }

    /// @dev account(20) | len u16 | shadows u8 | limits u8 | payload | …
    /// @param offset of the item in calldata @param end behind the last
    function _head(Work memory w, uint256 offset, uint256 end) private pure {
        unchecked {
            uint256 head;
            assembly ("memory-safe") {
                head := calldataload(offset)
            }
            uint256 length = (head >> 80) & 0xffff;
            uint256 shadows = (head >> 72) & 0xff;
            uint256 limits = (head >> 64) & 0xff;
            offset += ITEM_HEAD;
            uint256 next = offset + length + DONE_BYTES * limits + SHADOW_BYTES * shadows;
            address owner = address(uint160(head >> 96));
            Run memory run = w.run;
            // one jump for three refusals
            bool truncated = next > end;
            // more than any submission has, and than the buffer holds
            bool wrong = Wire.either(length > LONGEST, Wire.either(shadows > MAX_COSTS, limits > MAX_LISTED));
            if (Wire.either(Wire.either(truncated, wrong), uint160(owner) <= uint160(run.last))) {
                if (truncated) revert IWalras.TruncatedData();
                if (wrong) revert IWalras.WrongItem(owner);
                revert IWalras.AccountsNotAscending(owner);
            }
            run.last = owner;
            ++run.listed;
            (w.input.shadowCount, w.input.doneCount) = (shadows, limits);
            (w.owner, w.source, w.length, w.next) = (owner, offset, length, next);
        }
    }

    function _item(Market.State storage s, Work memory w, uint256 end) private {
        Account storage stored = s.ledger.accounts[w.owner];
        Holding memory a = w.account;
        stored.load(a);
        w.changed = false;
        (uint256 flags, bytes32 sealHash) = (a.flags, a.sealHash);
        if (flags & (AccountWords.STANDING | AccountWords.PAUSED) == AccountWords.STANDING) {
            _goOn(s, w, a, flags, end);
        } else {
            if (Wire.either(flags & AccountWords.STANDING != 0, a.batch != w.terms.batch)) {
                revert IWalras.AccountNotLive(w.owner);
            }
            uint256 reason = _trade(s, w, _sealed(w), true);
            if (w.reading.kind == 1) _join(w, reason);
        }
        if (w.effects.first != 0) {
            _record(w, stored, sealHash);
            return;
        }
        if (w.changed) stored.set(a.pack());
        if (a.sealHash != sealHash) stored.sealHash = a.sealHash;
    }

    /// @dev An account that stands.
    function _goOn(Market.State storage s, Work memory w, Holding memory a, uint256 flags, uint256 end) private {
        Input memory input = w.input;
        bool solvent = _charge(w.terms, w.run, a);
        uint256 body = _stood(w);
        uint256 length = w.length;
        uint256 behind;
        unchecked {
            behind = body + length;
        }
        if (Wire.both(flags == AccountWords.STANDING, Wire.both(solvent, input.shadowCount == 0))) {
            (bool rests, bool moves) = Single.trade(w, body, behind);
            if (rests) return;
            if (moves) {
                w.changed = true;
                if (input.doneCount != 0) a.sealHash = Seal.standHash(body, length, DONE_BYTES);
                return;
            }
        }
        (input.pos, input.end, input.done, input.units) = (body, behind, behind, a.units);
        input.known = _known(a, body);
        unchecked {
            (input.shadows, input.length) = (behind + DONE_BYTES * input.doneCount, Seal.BODY + length);
        }
        _stay(w, _trade(s, w, _read(w), solvent));
        if (flags & AccountWords.AMENDED != 0) _amend(s, w, end);
    }

    /// @dev The stored hash is of a body that {_join} or {_replace} took, with these units: rules 1 to 6 held, and rule 8 with the home product of
    /// then. That was this one if it was set, since it never changes; if not, the first product listed.
    function _known(Holding memory a, uint256 body) private pure returns (bool) {
        unchecked {
            return a.homeProduct == ((Wire.load(body) >> 184) & type(uint16).max) + 1;
        }
    }

    /// @dev Rent owed from before, and of this batch if the account can pay it. From here its cash is net.
    function _charge(Terms memory t, Run memory run, Holding memory a) private pure returns (bool solvent) {
        (uint256 cash, uint256 mark) = (a.cash, t.mark);
        uint256 owed;
        uint256 rent;
        unchecked {
            uint256 index = t.rentIndex;
            rent = a.units * t.unitRent; // < 2^8·2^139 a tick, of at most 2^32
            owed = rent * (index - a.batch);
            rent *= mark - index;
            solvent = Wire.both(owed <= cash, owed + rent <= cash);
        }
        if (solvent) {
            unchecked {
                cash -= owed + rent;
                run.rent += rent;
            }
        } else {
            cash -= owed; // it could pay what it owes, or it would have ended
        }
        (a.cash, a.batch) = (cash, mark);
    }

    /// @return body memory address of a standing submission, if it is the one whose hash is stored
    function _stood(Work memory w) private pure returns (uint256 body) {
        unchecked {
            (uint256 source, uint256 length) = (w.source, w.length);
            body = Seal.load(w.buffer, Seal.TAG_STAND, bytes32(length), source, w.next - source);
            if (Seal.hash(body, length + DONE_BYTES * w.input.doneCount) != w.account.sealHash) {
                revert IWalras.WrongCiphertext(w.owner);
            }
        }
    }

    /// @dev A sealed one, up to rule 7.
    function _sealed(Work memory w) private pure returns (uint256) {
        unchecked {
            Input memory input = w.input;
            if (input.doneCount != 0) revert IWalras.WrongItem(w.owner);
            (input.units, input.known) = (w.account.units, false);
            if (!_open(w, w.source, w.length, SHADOW_BYTES * input.shadowCount, w.account.sealHash)) {
                if (input.shadowCount != 0) revert IWalras.ShadowsMismatch(input.shadowCount, 0);
                w.reading.kind = 0;
                return Reasons.UNOPENED;
            }
            input.shadows = input.end;
            return _read(w);
        }
    }

    /// @param behind {byte} to copy too
    function _open(Work memory w, uint256 source, uint256 length, uint256 behind, bytes32 sealHash)
        private
        pure
        returns (bool)
    {
        unchecked {
            (Terms memory t, Input memory input) = (w.terms, w.input);
            uint256 pos = Seal.load(w.buffer, Seal.TAG_SEAL, t.id, source, length + behind);
            if (Seal.hash(pos, length) != sealHash) revert IWalras.WrongCiphertext(w.owner);
            uint256 body = Seal.open(w.buffer, pos, length, t.id, t.secret, w.owner);
            (input.pos, input.end, input.length) = (body, pos + length, length);
            return body != 0;
        }
    }

    /// @dev Rules 1 to 7.
    function _read(Work memory w) private pure returns (uint256 reason) {
        Reading memory r = w.reading;
        reason = Submission.read(r, w.board, w.input);
        if (reason != Reasons.NONE) return reason;
        unchecked {
            // 0, no end, is the largest of all
            if (r.validUntil - 1 < w.terms.lockOut - 1) return Reasons.EXPIRED;
        }
    }

    /// @dev Rules 8 to 10, and what a submission does that is not void.
    function _trade(Market.State storage s, Work memory w, uint256 reason, bool solvent) private returns (uint256) {
        unchecked {
            (Reading memory r, Run memory run) = (w.reading, w.run);
            if (reason == Reasons.NONE) reason = s.ledger.cover(w.owner, w.account, r, solvent);
            if (reason != Reasons.NONE) {
                ++run.voids;
                emit IWalras.Voided(uint32(w.terms.batch), w.owner, VoidReason(reason));
                return reason;
            }
            if (r.costs != 0) {
                if (r.unclear) Costs.check(r, w.owner);
                run.costLoss += r.costLoss;
                run.costSpan += r.costSpan;
            }
            Certificate.add(r);
            run.slopes += r.loss;
            w.changed = r.homed;
            if (r.moves) {
                run.cash += r.cash;
                w.changed = Ledger.trade(w.owner, w.account, r, w.effects);
            }
            return Reasons.NONE;
        }
    }

    /// @dev A run that writes ahead leaves alone what does not change; its other words are told apart by {AccountWords-isDone}.
    function _record(Work memory w, Account storage stored, bytes32 sealHash) private {
        (Holding memory a, Effects.Data memory e) = (w.account, w.effects);
        bool ahead = e.ahead;
        bytes32 next = a.sealHash;
        if (ahead && !Wire.either(Wire.either(w.changed, next != sealHash), e.pairs != 0)) {
            ++w.run.rested;
            return;
        }
        if (a.flags == 0) (a.batch, a.units) = (w.terms.batch, 0);
        AccountWord word = a.pack();
        e.complete(w.owner, word, a.stored, next, sealHash);
        if (!ahead) return;
        stored.set(word);
        if (next != sealHash) stored.sealHash = next;
    }

    /* ------------------------------------------- what stands ------------------------------------------- */

    /// @dev Whether and how a standing submission goes on.
    function _stay(Work memory w, uint256 reason) private {
        unchecked {
            (Holding memory a, Reading memory r) = (w.account, w.reading);
            uint256 before = a.flags & AccountWords.UNCOVERED;
            uint256 later;
            if (reason == Reasons.NONE) {
                if (r.complete) return _end(w);
                if (r.moves && r.limits != 0) _progress(w);
            } else {
                bool stays = reason == Reasons.UNCOVERED && before == 0 && !_spent(w);
                if (!stays) return _end(w);
                later = AccountWords.UNCOVERED;
            }
            if (before != later) w.changed = true;
            a.flags = AccountWords.STANDING | later;
        }
    }

    function _end(Work memory w) private {
        unchecked {
            (Holding memory a, Run memory run) = (w.account, w.run);
            --run.standing;
            run.standingUnits -= int256(a.units);
            (a.flags, a.batch, a.units) = (0, 0, 0);
            w.changed = true;
            emit IWalras.Ended(uint32(w.terms.batch), w.owner);
        }
    }

    /// @dev A first seal that is to stand, once rules 1 to 9 hold.
    function _join(Work memory w, uint256 reason) private {
        unchecked {
            (Holding memory a, Run memory run) = (w.account, w.run);
            if (reason == Reasons.NONE) {
                if (w.reading.complete) return;
                a.flags = AccountWords.STANDING;
            } else {
                if (reason != Reasons.UNCOVERED || _spent(w)) return;
                a.flags = AccountWords.STANDING | AccountWords.UNCOVERED;
                _clear(w.reading);
            }
            ++run.standing;
            run.standingUnits += int256(a.units);
            a.batch = w.terms.mark;
            w.changed = true;
            _progress(w);
            emit IWalras.Joined(uint32(w.terms.batch), w.owner);
        }
    }

    /// @dev The amendment behind the item, if it was sealed in this batch.
    function _amend(Market.State storage s, Work memory w, uint256 end) private {
        unchecked {
            Amendment storage amendment = s.amendments[w.owner];
            if (amendment.batch != w.terms.batch) return;
            uint256 source = w.next;
            uint256 length;
            assembly ("memory-safe") {
                length := shr(240, calldataload(source))
            }
            source += 2;
            w.next = source + length;
            if (w.next > end) revert IWalras.TruncatedData();
            if (length > LONGEST) revert IWalras.WrongItem(w.owner);
            w.changed = true; // it is used up
            w.input.units = amendment.units;
            bool replaced = _open(w, source, length, 0, amendment.sealHash) && _replaces(w);
            if (replaced) _replace(w);
            emit IWalras.Amended(uint32(w.terms.batch), w.owner, replaced);
        }
    }

    /// @dev Rules 1 to 6 and 8, and kind 1.
    function _replaces(Work memory w) private pure returns (bool) {
        (w.input.shadowCount, w.input.doneCount, w.input.known) = (0, 0, false);
        Reading memory r = w.reading;
        return Submission.decode(r, w.board, w.input) == Reasons.NONE && r.kind == 1 && Ledger.fits(w.account, r);
    }

    function _replace(Work memory w) private pure {
        unchecked {
            (Holding memory a, Run memory run) = (w.account, w.run);
            uint256 units = w.input.units;
            if (a.flags == 0) ++run.standing;
            run.standingUnits += int256(units) - int256(a.units);
            (a.flags, a.batch, a.units) = (AccountWords.STANDING, w.terms.mark, units);
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
            int256[MAX_LISTED] memory progress = w.reading.progress;
            uint256 end = input.end;
            uint256 size = DONE_BYTES * w.reading.limits;
            assembly ("memory-safe") {
                for { let i := 0 } lt(i, size) { i := add(i, DONE_BYTES) } {
                    mstore(add(end, i), shl(128, mload(add(progress, shl(1, i)))))
                }
            }
            w.account.sealHash = Seal.standHash(input.pos, end - input.pos, size);
        }
    }
}
