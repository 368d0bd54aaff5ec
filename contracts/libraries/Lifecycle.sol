// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Amendment, Batch, IWalras, Parameters, Phase} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./AccountWords.sol";
import {BatchWord, BatchWords} from "./BatchWords.sol";
import {Market} from "./Market.sol";
import {Seal} from "./Seal.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev A batch opens; a submission is amended, paused, resumed, taken back. Deployed by itself and linked. docs/SPEC.md §5 and §9.
library Lifecycle {
    using AccountWords for Account;
    using BatchWords for Batch;
    using Market for Market.State;

    /// @dev The current batch `batch_`, which needs a key and an end of the one before.
    function open(Market.State storage s, Parameters calldata p, uint32 batch_) external {
        BatchWord b = s.batch.word();
        if (b.number() == batch_) revert IWalras.AlreadyOpen(batch_);
        if (b.live() != 0 && !b.settled()) revert IWalras.VoidUnclosed(uint32(b.number()));
        if (b.unapplied() != 0) revert IWalras.Unapplied(uint32(b.number()), uint32(b.unapplied()));
        if (s.keyHash[batch_] == 0) revert IWalras.KeyMissing(batch_);
        if (s.outcome[batch_] != 0) revert IWalras.WrongPhase(batch_, Phase.VOID);
        s.requireBacked(p.bond);
        Phase phase_ = s.phase(p.timetable, batch_);
        if (phase_ > Phase.LOCKED_IN) revert IWalras.WrongPhase(batch_, phase_);
        if (b.pot() != 0) s.burn(b.pot()); // everybody cancelled
        uint256 ticks = p.minBaseFee == 0 ? 1 : Math.ceilDiv(block.basefee, p.minBaseFee);
        ticks = Math.min(type(uint8).max, Math.max(1, ticks));
        // a rent that no index can hold any more ends the market: no batch opens, everybody leaves
        if (s.standing.rentIndex + ticks > type(uint32).max) revert IWalras.MarketOver();
        (uint32 live, uint32 units) = (s.standing.count, s.standing.units);
        s.batch.set(BatchWords.opened(batch_, live, units, ticks));
        emit IWalras.Opened(batch_, live, units, uint8(ticks));
    }

    /// @dev The seal of a standing account in an open batch; a further one in the same batch replaces it.
    function amend(Market.State storage s, Parameters calldata p, uint256 units, bytes calldata ct) external {
        BatchWord b = s.batch.word();
        uint32 batch_ = uint32(b.number());
        AccountWord a = _thawed(s, p, msg.sender, batch_);
        if (a.has(AccountWords.PAUSED)) revert IWalras.IsPaused(msg.sender);
        Amendment storage amendment = s.amendments[msg.sender];
        uint256 used = b.units() + units - _pending(amendment, a, batch_);
        if (used > p.capacity) revert IWalras.BatchFull(used, p.capacity);
        (uint256 fee, uint256 surcharge) = Market.admission(used, units, p.capacity, p.minBaseFee, p.cashPerWei);
        uint256 cash = a.cash();
        if (fee + surcharge > cash) revert IWalras.InsufficientBalance(fee + surcharge, cash);
        if (surcharge != 0) s.burn(surcharge);
        a = a.paid(cash - fee - surcharge, a.batch()).flagged(a.flags() | AccountWords.AMENDED);
        s.ledger.accounts[msg.sender].set(a);
        s.batch.set(b.filled(b.live(), used, b.pot() + fee));
        (amendment.sealHash, amendment.batch, amendment.units) =
        (Seal.sealHash(Seal.batchId(batch_), ct), batch_, uint8(units));
        emit IWalras.Sealed(batch_, msg.sender, uint8(units), ct);
    }

    function pause(Market.State storage s, Parameters calldata p) external {
        AccountWord a = _thawed(s, p, msg.sender, s.batch.number);
        if (!a.has(AccountWords.STANDING)) revert IWalras.NotStanding(msg.sender);
        if (a.has(AccountWords.PAUSED)) revert IWalras.IsPaused(msg.sender);
        a = _leave(s, p, a);
        uint256 kept = a.flags() & ~AccountWords.AMENDED;
        s.ledger.accounts[msg.sender].set(a.flagged(kept | AccountWords.PAUSED));
        emit IWalras.Paused(msg.sender);
    }

    function resume(Market.State storage s, Parameters calldata p) external {
        Account storage stored = s.ledger.accounts[msg.sender];
        AccountWord a = stored.word();
        if (!a.has(AccountWords.STANDING)) revert IWalras.NotStanding(msg.sender);
        if (!a.has(AccountWords.PAUSED)) revert IWalras.NotPaused(msg.sender);
        BatchWord b = s.batch.word();
        uint32 batch_ = uint32(b.number());
        Phase phase_ = s.phase(p.timetable, batch_);
        bool joins = phase_ == Phase.OPEN || phase_ == Phase.LOCKED_IN;
        if (joins) {
            if (b.live() == 0) s.requireBacked(p.bond);
            uint256 used = b.units() + a.units();
            if (used > p.capacity) revert IWalras.BatchFull(used, p.capacity);
            s.batch.set(b.filled(b.live() + 1, used, b.pot()));
        } else if (b.live() != 0 && !b.settled()) {
            // it would be live without being counted
            if (phase_ == Phase.VOID) revert IWalras.VoidUnclosed(batch_);
            revert IWalras.WrongPhase(batch_, phase_);
        }
        uint256 units = s.standing.units + a.units();
        if (units > p.capacity) revert IWalras.BatchFull(units, p.capacity);
        (s.standing.count, s.standing.units) = (s.standing.count + 1, uint32(units));
        stored.set(a.paid(a.cash(), s.standing.rentIndex).flagged(a.flags() & ~AccountWords.PAUSED));
        emit IWalras.Resumed(msg.sender, joins ? batch_ : 0);
    }

    function cancel(Market.State storage s, Parameters calldata p) external {
        BatchWord b = s.batch.word();
        uint32 batch_ = uint32(b.number());
        Account storage stored = s.ledger.accounts[msg.sender];
        AccountWord a = stored.word();
        if (a.has(AccountWords.STANDING)) {
            a = _thawed(s, p, msg.sender, batch_);
            if (!a.has(AccountWords.PAUSED)) a = _leave(s, p, a);
        } else {
            if (!a.isLive(batch_)) revert IWalras.NotLive(msg.sender);
            Phase phase_ = s.phase(p.timetable, batch_);
            if (phase_ != Phase.OPEN) revert IWalras.WrongPhase(batch_, phase_);
            s.batch.set(b.filled(b.live() - 1, b.units() - a.units(), b.pot()));
        }
        stored.set(a.resealed(a.cash(), 0, 0).flagged(0));
        emit IWalras.Cancelled(batch_, msg.sender);
    }

    /// @dev The account's word with its rent paid.
    function _thawed(Market.State storage s, Parameters calldata p, address owner, uint32 batch_)
        private
        returns (AccountWord)
    {
        if (s.isFrozen(p.timetable, owner)) revert IWalras.Frozen(owner, batch_);
        return s.takeRent(owner, Market.unitRent(p.minBaseFee, p.cashPerWei));
    }

    /// @dev Takes a standing account out of what stands, and out of an unfinished batch. One in OPEN gets its rent all the same: else room
    /// in it could be held for nothing until lock-in.
    function _leave(Market.State storage s, Parameters calldata p, AccountWord a) private returns (AccountWord) {
        BatchWord b = s.batch.word();
        (s.standing.count, s.standing.units) = (s.standing.count - 1, uint32(s.standing.units - a.units()));
        if (b.live() == 0 || b.settled()) return a;
        uint256 pot = b.pot();
        Phase phase_ = s.phase(p.timetable, uint32(b.number()));
        // with nobody left to be live there would be nothing to close, and the bond would be free
        if (phase_ == Phase.VOID && b.live() == 1) revert IWalras.VoidUnclosed(uint32(b.number()));
        if (phase_ == Phase.OPEN) {
            uint256 rent = a.units() * b.ticks() * Market.unitRent(p.minBaseFee, p.cashPerWei);
            if (rent > a.cash()) revert IWalras.InsufficientBalance(rent, a.cash());
            a = a.paid(a.cash() - rent, a.batch());
            pot += rent;
        }
        uint256 units = a.units() + _pending(s.amendments[msg.sender], a, b.number());
        s.batch.set(b.filled(b.live() - 1, b.units() - units, pot));
        return a;
    }

    /// @return units of the account's amendment in this batch
    function _pending(Amendment storage amendment, AccountWord a, uint256 batch_) private view returns (uint256) {
        return a.has(AccountWords.AMENDED) && amendment.batch == batch_ ? amendment.units : 0;
    }
}
