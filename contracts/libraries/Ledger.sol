// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, IWalras} from "../interfaces/IWalras.sol";
import {Holding} from "./AccountWords.sol";
import {CASH, WORD_GAS} from "./Constants.sol";
import {Effects} from "./Effects.sol";
import {Reasons} from "./Reasons.sol";
import {Entry, Reading} from "./Submission.sol";
import {Wire} from "./Wire.sol";

/// @dev Balances: one word per account holds cash and its home product; the other products lie two to a word. docs/SPEC.md §7.
library Ledger {
    using Effects for Effects.Data;

    struct Data {
        mapping(address owner => Account) accounts;
        mapping(address owner => mapping(uint256 pair => uint256)) pairs; // {lot X44} even product low, odd product high
    }

    /// @return {lot X44 or cash X40} of a standing account before the rent it owes
    function balanceOf(Data storage ledger, address owner, uint16 asset) internal view returns (uint256) {
        Account storage a = ledger.accounts[owner];
        if (asset == CASH) return a.cash;
        if (a.homeProduct == uint256(asset) + 1) return a.home;
        return (ledger.pairs[owner][asset >> 1] >> _shift(asset)) & type(uint128).max;
    }

    function credit(Data storage ledger, address owner, uint16 asset, uint256 amount) internal {
        Account storage a = ledger.accounts[owner];
        if (asset == CASH) {
            a.cash += uint96(amount); // custody caps keep every balance below 2^96
            return;
        }
        if (a.homeProduct == 0) a.homeProduct = asset + 1;
        if (a.homeProduct == asset + 1) a.home += uint96(amount);
        else ledger.pairs[owner][asset >> 1] += amount << _shift(asset);
    }

    function debit(Data storage ledger, address owner, uint16 asset, uint256 amount) internal {
        uint256 available = balanceOf(ledger, owner, asset);
        if (amount > available) revert IWalras.InsufficientBalance(amount, available);
        Account storage a = ledger.accounts[owner];
        if (asset == CASH) a.cash -= uint96(amount);
        else if (a.homeProduct == asset + 1) a.home -= uint96(amount);
        else ledger.pairs[owner][asset >> 1] -= amount << _shift(asset);
    }

    /// @dev Reads the balances a submission needs. Rules 8 to 10 of docs/SPEC.md §2.
    /// @param a with its cash net of all rent @param solvent whether it could pay that
    function cover(Data storage ledger, address owner, Holding memory a, Reading memory r, bool solvent)
        internal
        view
        returns (uint256 reason)
    {
        unchecked {
            r.homed = a.homeProduct == 0;
            if (r.homed) a.homeProduct = r.entries[0].line.id + 1;
            reason = _cover(ledger, owner, a, r);
            if (Wire.both(solvent, reason == Reasons.NONE)) return reason;
            if (reason != Reasons.OVERSIZED && !solvent) reason = Reasons.RENT;
            if (r.homed) a.homeProduct = 0;
        }
    }

    function _cover(Data storage ledger, address owner, Holding memory a, Reading memory r)
        private
        view
        returns (uint256 reason)
    {
        unchecked {
            bool short = r.cover > a.cash;
            (Entry memory e, Entry[] memory entries) = (r.entry, r.entries);
            (uint256 left, uint256 home) = (r.count, a.homeProduct - 1);
            assembly ("memory-safe") {
                e := mload(add(entries, 32))
            }
            if (Wire.both(left == 1, e.line.id == home)) {
                uint256 balance = a.home;
                e.balance = balance;
                if (Wire.either(short, e.cover > balance)) return Reasons.UNCOVERED;
                return Reasons.NONE;
            }
            mapping(uint256 => uint256) storage pairs = ledger.pairs[owner];
            uint256 pair = type(uint256).max;
            Entry memory held = e;
            for (; left != 0; --left) {
                assembly ("memory-safe") {
                    entries := add(entries, 32)
                    e := mload(entries)
                }
                uint256 id = e.line.id;
                uint256 balance = a.home;
                if (id != home) {
                    if (id >> 1 == pair) {
                        (e.slot, e.word) = (held.slot, held.word);
                    } else {
                        pair = id >> 1;
                        uint256 gas = r.gas + WORD_GAS;
                        r.gas = gas;
                        if (gas > r.gasLimit) return Reasons.OVERSIZED;
                        _load(e, pairs, pair);
                        held = e;
                    }
                    balance = (e.word >> _shift(id)) & type(uint128).max;
                }
                e.balance = balance;
                short = Wire.either(short, e.cover > balance);
            }
            if (short) return Reasons.UNCOVERED;
        }
    }

    function _load(Entry memory e, mapping(uint256 => uint256) storage pairs, uint256 pair) private view {
        (uint256 slot, uint256 word) = (0, 0);
        assembly ("memory-safe") {
            mstore(0, pair)
            mstore(32, pairs.slot)
            slot := keccak256(0, 64)
            word := sload(slot)
        }
        (e.slot, e.word) = (slot, word);
    }

    /// @dev Rule 8 alone, of a submission that does not trade yet.
    function fits(Holding memory a, Reading memory r) internal pure returns (bool) {
        unchecked {
            uint256 home = a.homeProduct == 0 ? r.entries[0].line.id + 1 : a.homeProduct;
            uint256 gas_ = r.gas;
            uint256 pair = type(uint256).max;
            for (uint256 i; i < r.count; ++i) {
                uint256 id = r.entries[i].line.id;
                if (id + 1 == home || id >> 1 == pair) continue;
                pair = id >> 1;
                gas_ += WORD_GAS;
            }
            return gas_ <= r.gasLimit;
        }
    }

    /// @dev Moves the balances of a submission that trades. Requires {cover} before. Leaves the account's own word to the caller.
    /// @return changed whether that word is another
    function trade(address owner, Holding memory a, Reading memory r, Effects.Data memory effects)
        internal
        returns (bool changed)
    {
        unchecked {
            changed = Wire.either(r.cash != 0, r.homed);
            Entry memory none = r.entry;
            (Entry memory e, Entry memory held, Entry[] memory entries) = (none, none, r.entries);
            uint256 word; // of the pair of `held`, with what moved in it so far
            for (uint256 left = r.count; left != 0; --left) {
                assembly ("memory-safe") {
                    entries := add(entries, 32)
                    e := mload(entries)
                }
                int256 fill = e.fill;
                if (fill == 0) continue;
                uint256 id = e.line.id;
                uint256 next = moved(owner, uint16(id), e.balance, fill);
                if (a.homeProduct == id + 1) {
                    a.home = next;
                    changed = true;
                    continue;
                }
                if (e.slot != held.slot) {
                    if (held.slot != 0) _save(held, word, effects);
                    (held, word) = (e, e.word);
                }
                word += uint256(fill) << _shift(id); // stays within its half
            }
            if (held.slot != 0) _save(held, word, effects);
            if (changed) a.cash = moved(owner, CASH, a.cash, r.cash);
        }
    }

    function _save(Entry memory e, uint256 word, Effects.Data memory effects) private {
        unchecked {
            if (effects.first != 0) {
                effects.pair(e.line.id >> 1, word, e.word);
                if (!effects.ahead) return;
            }
            uint256 slot = e.slot;
            assembly ("memory-safe") {
                sstore(slot, word)
            }
        }
    }

    /// @dev A covered account never falls below zero; no settlement that clears lifts one past custody. Wrong prices might.
    function moved(address owner, uint16 asset, uint256 balance, int256 by) internal pure returns (uint256) {
        unchecked {
            uint256 next = balance + uint256(by);
            // below zero is above 2^255
            if (next > type(uint96).max) revert IWalras.LedgerOutOfRange(owner, asset, int256(next));
            return next;
        }
    }

    function _shift(uint256 product) private pure returns (uint256) {
        return (product & 1) << 7;
    }
}
