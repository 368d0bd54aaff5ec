// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Batch, IWalras, Listing, Parameters, Phase, Product, Treasury} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./AccountWords.sol";
import {CASH, CASH_BITS, LOT_BITS, MAX_PRODUCTS, RESTORE_GAS, VOID_GAS} from "./Constants.sol";
import {Custody} from "./Custody.sol";
import {Market} from "./Market.sol";
import {Phases} from "./Phases.sol";
import {Seal} from "./Seal.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev What stands behind a batch: listings, house, bond, and what becomes of them when it is void. Deployed by itself and linked.
library Backing {
    using AccountWords for Account;
    using Custody for Listing;
    using Market for Market.State;

    /// @dev Funds behind a batch stay while it is unfinished; a void one is unfinished until it is closed.
    function _requireFinished(Market.State storage s) private view {
        if (s.batch.live != 0 && !s.batch.settled) revert IWalras.Unfinished(s.batch.number);
    }

    /* --------------------------------------------- listing --------------------------------------------- */

    struct Terms {
        address token;
        uint96 lot;
        uint56 scale;
        uint8 tickBps;
        uint8 depthLog2;
        uint64 lotsCap;
    }

    function list(Market.State storage s, Parameters calldata p, Terms calldata t) external returns (uint16 id) {
        if (t.token.code.length == 0) revert IWalras.NoToken(t.token);
        if (s.isListed[t.token]) revert IWalras.AlreadyListed(t.token);
        if (t.lot == 0) revert IWalras.BadParameter("lot", t.lot);
        if (t.scale < 1 << 24 || t.scale > 1 << 54) revert IWalras.BadParameter("scale", t.scale);
        if (t.tickBps == 0) revert IWalras.BadParameter("tickBps", t.tickBps);
        if (t.depthLog2 > 52) revert IWalras.BadParameter("depthLog2", t.depthLog2);
        if (t.lotsCap == 0 || t.lotsCap > 1 << 51) revert IWalras.BadParameter("lotsCap", t.lotsCap);
        id = s.count;
        if (id >= MAX_PRODUCTS) revert IWalras.TooManyProducts();

        uint32 now_ = Phases.current(p.timetable, block.timestamp);
        if (s.countFrom <= now_) (s.countBefore, s.countFrom) = (id, now_ + 1);
        s.count = id + 1;
        s.isListed[t.token] = true;
        s.listings[id] = Listing(t.token, t.lot, 0, uint128(t.lotsCap) << uint128(LOT_BITS));
        uint8 house = _setScale(s, p.coverCap, 0, t.scale, 0, t.lotsCap);
        s.products[id] = Product(0, uint80(uint256(t.scale) << 16), t.scale, t.tickBps, t.depthLog2, house);
        ++s.treasury.shortHouses;
        emit IWalras.Listed(id, t.token, t.lot, now_ + 1);
    }

    function resetScale(Market.State storage s, uint256 coverCap, uint16 id) external {
        _requireFinished(s);
        if (id >= s.count) revert IWalras.UnknownAsset(id);
        Product memory p = s.products[id];
        uint256 target = uint256(p.referencePrice) >> 16;
        uint256 next = Math.max(1 << 24, Math.min(1 << 54, target));
        if (next < 4 * uint256(p.scale) && 4 * next > p.scale) revert IWalras.ScaleHolds(p.scale, target);

        bool wasShort = p.house < uint256(1) << (p.houseLog2 + LOT_BITS);
        p.houseLog2 = _setScale(s, coverCap, p.scale, uint56(next), p.houseLog2, s.listings[id].cap >> LOT_BITS);
        p.scale = uint56(next);
        s.products[id] = p;
        _countShort(s, wasShort, p.house < uint256(1) << (p.houseLog2 + LOT_BITS));
        emit IWalras.ScaleReset(id, p.scale);
    }

    /// @dev Keeps the caps' value and the house's least cash in step with a scale.
    /// @return house log2 of the least holding: at least ⌈√(2·coverCap·ε)⌉ + 1 lots, ε = 2^-10/scale (MATHEMATICS §5)
    function _setScale(
        Market.State storage s,
        uint256 coverCap,
        uint56 old,
        uint56 scale,
        uint8 oldHouse,
        uint256 lotsCap
    ) private returns (uint8 house) {
        s.cover = s.cover + 8 * uint256(scale) * lotsCap - 8 * uint256(old) * lotsCap;
        if (s.cover > coverCap << 24) revert IWalras.BadParameter("coverCap", s.cover >> 24);
        uint256 least = Math.sqrt(Math.ceilDiv(2 * coverCap << 14, scale), Math.Rounding.Ceil) + 1;
        house = uint8(Math.log2(least, Math.Rounding.Ceil));
        s.leastHouseCash = s.leastHouseCash + (8 * uint256(scale) << (16 + house));
        if (old != 0) s.leastHouseCash -= 8 * uint256(old) << (16 + oldHouse);
    }

    /* ------------------------------------------- void batches ------------------------------------------- */

    function reportLeak(Market.State storage s, Parameters calldata p, uint32 batch_, uint256 secret) external {
        Phase phase_ = s.phase(p.timetable, batch_);
        if (phase_ > Phase.LOCKED_IN) revert IWalras.WrongPhase(batch_, phase_);
        if (!Seal.opensKey(secret, s.keyHash[batch_])) revert IWalras.WrongSecret(batch_);
        s.secret[batch_] = secret;
        emit IWalras.KeyLeaked(batch_, msg.sender, secret);
        _slash(s, p, batch_);
    }

    function closeVoid(Market.State storage s, Parameters calldata p, uint32 batch_) external {
        Batch memory b = s.batch;
        if (b.number != batch_ || b.live == 0 || s.phase(p.timetable, batch_) != Phase.VOID) {
            revert IWalras.NothingToClose(batch_);
        }
        _slash(s, p, batch_);
    }

    /// @dev Bond: the caller's gas, then the compensation of all who sealed in it if it holds for all; of the rest and the pot, the gas of who
    /// restores what was written ahead; what is left to nobody. Those who stood already have paid nothing for this batch.
    function _slash(Market.State storage s, Parameters calldata p, uint32 batch_) private {
        Batch memory b = s.batch;
        Treasury memory t = s.treasury;
        uint256 reward = Math.min(t.bond, VOID_GAS * block.basefee * p.cashPerWei);
        uint256 due = b.number == batch_ ? (uint256(b.live - s.standing.count) * p.compensation) << CASH_BITS : 0;
        bool paid = due != 0 && due <= t.bond - reward;
        if (!paid) due = 0;
        uint256 burnt = t.bond - reward - due;
        if (b.number == batch_) {
            burnt += b.pot;
            uint256 each;
            if (b.unapplied != 0) {
                each = Math.min(burnt / b.unapplied, RESTORE_GAS * block.basefee * p.cashPerWei);
            }
            (b.live, b.units, b.pot, b.closed) = (0, 0, uint96(each * b.unapplied), true);
            burnt -= b.pot;
            s.batch = b;
        }
        (s.treasury.bond, s.treasury.reserved) = (0, t.reserved + uint96(due));
        s.burn(burnt);
        s.outcome[batch_] = paid ? Market.VOID_PAID : Market.VOID_UNPAID;
        s.credit(msg.sender, reward);
        emit IWalras.BondChanged(0);
        emit IWalras.VoidClosed(batch_, msg.sender, reward, due, burnt);
    }

    function compensate(Market.State storage s, uint256 compensation, address owner) external {
        Account storage stored = s.ledger.accounts[owner];
        AccountWord a = stored.word();
        uint32 batch_ = uint32(a.batch());
        // without units it is written ahead: what it was comes first
        bool sealed_ = batch_ != 0 && !a.has(AccountWords.STANDING) && a.units() != 0;
        if (!sealed_ || s.outcome[batch_] != Market.VOID_PAID) revert IWalras.NothingDue(owner);
        uint256 amount = compensation << CASH_BITS;
        stored.batch = 0;
        s.treasury.reserved -= uint96(amount);
        s.credit(owner, amount);
    }

    /* ------------------------------------------ bond and house ------------------------------------------ */

    function addBond(Market.State storage s, uint256 amount) external {
        s.treasury.bond += uint96(s.listings[CASH].take(msg.sender, amount, CASH_BITS));
        emit IWalras.BondChanged(s.treasury.bond);
    }

    function drawBond(Market.State storage s, uint256 amount, address to) external {
        _requireFinished(s);
        Listing storage listed = s.listings[CASH];
        uint256 ledger;
        (amount, ledger) = listed.toPay(CASH_BITS, amount, s.treasury.bond);
        s.treasury.bond -= uint96(ledger);
        emit IWalras.BondChanged(s.treasury.bond);
        listed.give(to, amount, ledger);
    }

    function fundHouse(Market.State storage s, uint16 asset, uint256 amount) external {
        uint256 ledger = s.listing(asset).take(msg.sender, amount, Market.bits(asset));
        _setHouse(s, asset, _house(s, asset) + ledger);
    }

    function drawHouse(Market.State storage s, uint16 asset, uint256 amount, address to) external {
        _requireFinished(s);
        Listing storage listed = s.listing(asset);
        uint256 holding = _house(s, asset);
        uint256 least = asset == CASH ? s.leastHouseCash : uint256(1) << (s.products[asset].houseLog2 + LOT_BITS);
        uint256 ledger;
        (amount, ledger) = listed.toPay(Market.bits(asset), amount, holding > least ? holding - least : 0);
        _setHouse(s, asset, holding - ledger);
        listed.give(to, amount, ledger);
    }

    function _house(Market.State storage s, uint16 asset) private view returns (uint256) {
        return asset == CASH ? s.treasury.houseCash : s.products[asset].house;
    }

    function _setHouse(Market.State storage s, uint16 asset, uint256 holding) private {
        if (asset == CASH) {
            s.treasury.houseCash = uint96(holding);
        } else {
            Product storage p = s.products[asset];
            uint256 least = uint256(1) << (p.houseLog2 + LOT_BITS);
            _countShort(s, p.house < least, holding < least);
            p.house = uint96(holding);
        }
        emit IWalras.HouseChanged(asset, holding);
    }

    function _countShort(Market.State storage s, bool before, bool later) private {
        if (before && !later) --s.treasury.shortHouses;
        if (!before && later) ++s.treasury.shortHouses;
    }
}
