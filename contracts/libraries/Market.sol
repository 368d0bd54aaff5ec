// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Account,
    Amendment,
    Batch,
    IWalras,
    Listing,
    Phase,
    Product,
    Standing,
    Timetable,
    Treasury
} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./AccountWords.sol";
import {BatchWord, BatchWords} from "./BatchWords.sol";
import {CASH, CASH_BITS, LOT_BITS, UNIT_GAS} from "./Constants.sol";
import {Ledger} from "./Ledger.sol";
import {Phases} from "./Phases.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev All that a market stores, and what several of its rooms ask of it. The rooms are libraries deployed by themselves: docs/adr/0001.
library Market {
    using AccountWords for Account;
    using BatchWords for Batch;

    bytes32 internal constant VOID_PAID = bytes32(uint256(1));
    bytes32 internal constant VOID_UNPAID = bytes32(uint256(2));

    struct State {
        Batch batch;
        Standing standing;
        Treasury treasury;
        Ledger.Data ledger;
        mapping(uint256 id => Product) products;
        mapping(uint16 asset => Listing) listings;
        mapping(address token => bool) isListed;
        uint16 count; // products listed
        uint16 countBefore; // products of batches before countFrom
        uint32 countFrom;
        uint256 cover; // {cash X24} value of all custody caps
        uint256 leastHouseCash;
        mapping(uint256 x => bool) keyUsed;
        mapping(uint32 batch => bytes32) keyHash;
        mapping(uint32 batch => uint256) secret;
        mapping(uint32 batch => bytes32) outcome;
        mapping(address owner => uint256) claimable;
        mapping(address owner => Amendment) amendments;
        mapping(uint32 batch => mapping(address settler => bytes32)) runs;
        bytes32 digests; // of the run that settled the last batch settled in chunks, or has written ahead
    }

    /* ----------------------------------------------- time ----------------------------------------------- */

    function phase(State storage s, Timetable memory t, uint32 batch_) internal view returns (Phase) {
        if (s.batch.number == batch_ && s.batch.settled) return Phase.SETTLED;
        bytes32 result = s.outcome[batch_];
        if (result == VOID_PAID || result == VOID_UNPAID) return Phase.VOID;
        if (result != 0) return Phase.SETTLED;
        return Phases.phaseAt(t, batch_, block.timestamp, s.secret[batch_] != 0);
    }

    function productCount(State storage s, uint32 batch_) internal view returns (uint16) {
        return batch_ < s.countFrom ? s.countBefore : s.count;
    }

    /// @dev Live in a batch past lock-in, not yet what its settlement makes of it, or not yet again what it was before a void one.
    function isFrozen(State storage s, Timetable memory t, address owner) internal view returns (bool) {
        AccountWord a = s.ledger.accounts[owner].word();
        BatchWord b = s.batch.word();
        if (!a.isLive(b.number())) return false;
        if (b.unapplied() != 0) {
            if (b.settled()) return !a.isDone(s.standing.rentIndex);
            if (a.isDone(s.standing.rentIndex + b.ticks())) return true;
        }
        if (b.live() == 0 || b.settled()) return false;
        Phase phase_ = phase(s, t, uint32(b.number()));
        return phase_ >= Phase.LOCKED_IN && phase_ <= Phase.FALLBACK;
    }

    /* ---------------------------------------------- money ---------------------------------------------- */

    function bits(uint16 asset) internal pure returns (uint256) {
        return asset == CASH ? CASH_BITS : LOT_BITS;
    }

    function listing(State storage s, uint16 asset) internal view returns (Listing storage) {
        if (asset != CASH && asset >= s.count) revert IWalras.UnknownAsset(asset);
        return s.listings[asset];
    }

    /// @dev Burnt cash stays here for ever and is nobody's: it leaves custody.
    function burn(State storage s, uint256 amount) internal {
        s.treasury.burnt += uint128(amount);
        s.listings[CASH].custody -= uint128(amount);
    }

    function credit(State storage s, address owner, uint256 amount) internal {
        s.claimable[owner] += amount;
        emit IWalras.Credited(owner, amount);
    }

    /// @dev Somebody is about to be live: from here nothing that backs the batch can be taken away.
    function requireBacked(State storage s, uint256 bond) internal view {
        Treasury memory t = s.treasury;
        if (t.bond < bond << CASH_BITS) revert IWalras.BondShort(t.bond, bond << CASH_BITS);
        if (t.shortHouses != 0 || t.houseCash < s.leastHouseCash) {
            revert IWalras.HouseUnderfunded(t.shortHouses, t.houseCash, s.leastHouseCash);
        }
    }

    /// @dev Fee to the settler and surcharge to nobody, which doubles with every eighth above half capacity. docs/SPEC.md §8.
    function admission(uint256 used, uint256 units, uint256 capacity, uint256 minBaseFee, uint256 cashPerWei)
        internal
        view
        returns (uint256 fee, uint256 surcharge)
    {
        uint256 baseFee = block.basefee > minBaseFee ? block.basefee : minBaseFee;
        unchecked {
            fee = units * UNIT_GAS * baseFee * cashPerWei; // a base fee of 2^100 wei is not of this world
        }
        if (2 * used > capacity) surcharge = fee * ((1 << (Math.ceilDiv(8 * used, capacity) - 4)) - 1);
    }

    /// @return {cash X40 / unit / tick} half the least admission fee
    function unitRent(uint256 minBaseFee, uint256 cashPerWei) internal pure returns (uint256) {
        return UNIT_GAS / 2 * minBaseFee * cashPerWei;
    }

    /// @dev What a standing account owes for the batches since its mark, which lies ahead of the index while its word does. Never more than
    /// its cash: a settlement ends who could not pay.
    function owed(State storage s, AccountWord a, uint256 rent) internal view returns (uint256) {
        uint256 index = s.standing.rentIndex;
        if (!a.stands() || a.batch() > index) return 0;
        return a.units() * rent * (index - a.batch());
    }

    /// @dev Takes what the account owes, which who writes its word does first.
    function takeRent(State storage s, address owner, uint256 rent) internal returns (AccountWord a) {
        Account storage stored = s.ledger.accounts[owner];
        a = stored.word();
        if (a.stands()) {
            a = a.paid(a.cash() - owed(s, a, rent), s.standing.rentIndex);
            stored.set(a);
        }
    }
}
