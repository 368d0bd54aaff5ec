// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Batch, IWalras, Parameters, Phase, Run, Timetable} from "../interfaces/IWalras.sol";
import {BatchWord, BatchWords} from "./BatchWords.sol";
import {Board, Line} from "./Board.sol";
import {Certificate} from "./Certificate.sol";
import {CASH, MAX_CHUNKS} from "./Constants.sol";
import {Effects} from "./Effects.sol";
import {Market} from "./Market.sol";
import {Pass} from "./Pass.sol";
import {Phases} from "./Phases.sol";
import {Seal} from "./Seal.sol";
import {Terms, Work} from "./Work.sol";

/// @dev Settling a batch, at once or in chunks. Deployed by itself and linked, to keep Walras below the code size limit.
library Settlement {
    using BatchWords for Batch;
    using Effects for Effects.Data;
    using Market for Market.State;

    function settle(
        Market.State storage s,
        Parameters calldata p,
        uint32 batch_,
        uint16[] calldata ids,
        int256[] calldata prices,
        bytes calldata submissions
    ) external {
        Terms memory t = _terms(s, p, batch_);
        Board.Data memory board = Board.build(s.products, t.productCount, ids, prices);
        Run memory run;
        _requireOwn(t, run);
        Pass.accounts(s, Pass.prepare(board, t, run), submissions);
        if (run.listed != t.live) revert IWalras.LiveCountMismatch(run.listed, t.live);
        _close(s, t, board, run, ids, prices);
        _share(s, t, run, 0);
    }

    function verify(
        Market.State storage s,
        Parameters calldata p,
        uint32 batch_,
        address from,
        Run calldata state,
        uint16[] calldata ids,
        int256[] calldata prices,
        bytes calldata submissions
    ) external {
        Terms memory t = _terms(s, p, batch_);
        Board.Data memory board = Board.build(s.products, t.productCount, ids, prices);
        Run memory run = _resume(s, t, board, from, state, keccak256(abi.encode(ids, prices)));
        if (t.ahead || from == address(0)) _requireOwn(t, run);
        Work memory w = Pass.prepare(board, t, run);
        w.effects = Effects.record(t.ahead);
        Pass.accounts(s, w, submissions);
        if (run.digests.length >= MAX_CHUNKS) revert IWalras.TooManyChunks(batch_);
        run.digests = _appended(run.digests, w.effects.digest);
        bytes32 hash;
        if (run.listed == t.live) {
            _close(s, t, board, run, ids, prices);
            // what the run has written ahead and nobody took back is written
            _share(s, t, run, t.ahead ? 0 : t.live - run.rested - t.unapplied);
            if (!t.ahead) s.digests = keccak256(abi.encodePacked(run.digests));
        } else {
            _save(board, run.totals);
            hash = keccak256(abi.encode(run));
            s.runs[batch_][msg.sender] = hash;
            if (t.ahead) {
                s.batch.unapplied = run.listed - run.rested;
                s.digests = keccak256(abi.encodePacked(run.digests));
            }
        }
        emit IWalras.Verified(batch_, msg.sender, from, run.listed, hash);
    }

    function _terms(Market.State storage s, Parameters calldata p, uint32 batch_)
        private
        view
        returns (Terms memory t)
    {
        BatchWord b = s.batch.word();
        if (b.number() != batch_ || b.live() == 0) revert IWalras.NothingToSettle(batch_);
        Timetable memory timetable = p.timetable;
        Phase phase_ = s.phase(timetable, batch_);
        if (phase_ != Phase.CLEARING && phase_ != Phase.FALLBACK) revert IWalras.WrongPhase(batch_, phase_);
        if (phase_ == Phase.CLEARING && msg.sender != p.operator) revert IWalras.NotOperator(msg.sender);
        (t.batch, t.id, t.secret) = (batch_, Seal.batchId(batch_), s.secret[batch_]);
        t.lockOut = Phases.start(timetable, batch_) + timetable.lockOut;
        (t.productCount, t.live) = (s.productCount(batch_), b.live());
        (t.unapplied, t.ahead) = (b.unapplied(), phase_ == Phase.CLEARING);
        t.rentIndex = s.standing.rentIndex;
        t.mark = t.rentIndex + b.ticks();
        t.unitRent = Market.unitRent(p.minBaseFee, p.cashPerWei);
    }

    /// @dev Certificate, house, references, what stands; all but the pot and the accounts.
    function _close(
        Market.State storage s,
        Terms memory t,
        Board.Data memory board,
        Run memory run,
        uint16[] calldata ids,
        int256[] calldata prices
    ) private {
        (uint256 squares, uint256 misses, uint256 volumes, int256 short) = Certificate.close(board, s.products);
        // [C-2] the accounts' ulps and the maker's cash are the house's, so that cash sums to zero exactly
        int256 cash = int256(uint256(s.treasury.houseCash)) - run.cash;
        if (cash < 0 || cash > int256(uint256(type(uint96).max))) revert IWalras.HouseShort(CASH, cash);
        s.treasury.houseCash = uint96(uint256(cash));
        if (short != 0) s.treasury.shortHouses = uint16(uint256(int256(uint256(s.treasury.shortHouses)) + short));

        s.standing.count = uint32(uint256(int256(uint256(s.standing.count)) + run.standing));
        s.standing.units = uint32(uint256(int256(uint256(s.standing.units)) + run.standingUnits));
        s.standing.rentIndex = uint32(t.mark);
        s.outcome[uint32(t.batch)] = keccak256(abi.encode(ids, prices));

        uint256[] memory bought = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            bought[i] = board.lines[i].volume;
        }
        uint256 loss = Certificate.lossUp(run.slopes, squares, run.costLoss);
        uint256 freedom = Certificate.freedomUp(misses, volumes, run.costSpan);
        emit IWalras.Settled(uint32(t.batch), msg.sender, ids, prices, bought, uint32(t.live), run.voids, loss, freedom);
    }

    /* --------------------------------------------- chunks --------------------------------------------- */

    /// @dev A fresh run, or the one of `from` with its sums back on the board.
    function _resume(
        Market.State storage s,
        Terms memory t,
        Board.Data memory board,
        address from,
        Run calldata state,
        bytes32 posted
    ) private view returns (Run memory run) {
        if (from == address(0)) {
            run.board = posted;
            run.totals = new uint256[](2 * board.lines.length);
            return run;
        }
        run = state;
        if (keccak256(abi.encode(run)) != s.runs[uint32(t.batch)][from]) {
            revert IWalras.WrongRun(uint32(t.batch), from);
        }
        if (run.board != posted) revert IWalras.WrongBoard(posted, run.board);
        for (uint256 i; i < board.lines.length; ++i) {
            Line memory line = board.lines[i];
            (uint256 first, uint256 second) = (run.totals[2 * i], run.totals[2 * i + 1]);
            line.demand = int256(first) >> 128;
            line.tolerance = uint64(first >> 64);
            line.gross = uint64(first);
            line.volume = second >> 128;
            line.used = second & 1 != 0;
        }
    }

    /// @dev Balances below 2^96 in each of 2^17 accounts keep demand and volume below 2^115; tolerance and gross stay below 2^44.
    function _save(Board.Data memory board, uint256[] memory totals) private pure {
        for (uint256 i; i < board.lines.length; ++i) {
            Line memory line = board.lines[i];
            totals[2 * i] = uint256(line.demand << 128) | line.tolerance << 64 | line.gross;
            totals[2 * i + 1] = line.volume << 128 | (line.used ? 1 : 0);
        }
    }

    function _appended(bytes32[] memory digests, bytes32 digest) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](digests.length + 1);
        for (uint256 i; i < digests.length; ++i) {
            longer[i] = digests[i];
        }
        longer[digests.length] = digest;
    }

    /// @dev Pot and rent to who verified last, but a half of each live account's part to who applies to it, if that is left to do.
    function _share(Market.State storage s, Terms memory t, Run memory run, uint256 unapplied) private {
        uint256 whole = s.batch.word().pot() + run.rent;
        uint256 rest = whole / 2 / t.live * unapplied;
        s.batch.settled = true;
        s.batch.pot = uint96(rest);
        s.batch.unapplied = uint32(unapplied);
        s.credit(msg.sender, whole - rest);
    }

    /// @dev Nobody's words but the run's are written ahead. In the operator's time no other run than theirs writes, and what it has written
    /// takes their slot: so what is written ahead is all of that run's, or, once somebody restores, a part of it. From then on only runs
    /// that go on from there pass accounts behind it, and a fresh one waits until all is restored.
    function _requireOwn(Terms memory t, Run memory run) private pure {
        if (t.unapplied != run.listed - run.rested) {
            revert IWalras.WrittenAhead(uint32(t.batch), uint32(t.unapplied));
        }
    }
}
