// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account} from "../interfaces/IWalras.sol";

/// @dev The first word of an {Account}, as the compiler lays it out: from the low end
/// cash u96 | home u96 | homeProduct u16 | batch u32 | units u8 | flags u8.
type AccountWord is uint256;

/// @dev An {Account} in memory: the same fields, whole words, which need no cleaning.
struct Holding {
    uint256 cash;
    uint256 home;
    uint256 homeProduct;
    uint256 batch;
    uint256 units;
    uint256 flags;
    bytes32 sealHash;
    AccountWord stored; // the first word as it was read
}

using {
    AccountWords.cash,
    AccountWords.batch,
    AccountWords.units,
    AccountWords.flags,
    AccountWords.has,
    AccountWords.stands,
    AccountWords.isLive,
    AccountWords.isDone,
    AccountWords.resealed,
    AccountWords.paid,
    AccountWords.flagged
} for AccountWord global;

/// @dev Sealing and settling touch this word for everybody, so it is read and written whole; the compiler would go field by field.
library AccountWords {
    uint256 internal constant STANDING = 1;
    uint256 internal constant PAUSED = 2;
    uint256 internal constant UNCOVERED = 4; // in its last batch
    uint256 internal constant AMENDED = 8;

    function word(Account storage stored) internal view returns (AccountWord w) {
        assembly ("memory-safe") {
            w := sload(stored.slot)
        }
    }

    function set(Account storage stored, AccountWord w) internal {
        assembly ("memory-safe") {
            sstore(stored.slot, w)
        }
    }

    function cash(AccountWord w) internal pure returns (uint256) {
        return uint96(AccountWord.unwrap(w));
    }

    /// @return batch of the live submission, or rent mark of one that stands
    function batch(AccountWord w) internal pure returns (uint256) {
        return uint32(AccountWord.unwrap(w) >> 208);
    }

    function units(AccountWord w) internal pure returns (uint256) {
        return uint8(AccountWord.unwrap(w) >> 240);
    }

    function flags(AccountWord w) internal pure returns (uint256) {
        return AccountWord.unwrap(w) >> 248;
    }

    function has(AccountWord w, uint256 flag) internal pure returns (bool) {
        return AccountWord.unwrap(w) >> 248 & flag != 0;
    }

    /// @dev Standing and not paused: live in every batch that opens, and paying rent.
    function stands(AccountWord w) internal pure returns (bool) {
        return AccountWord.unwrap(w) >> 248 & (STANDING | PAUSED) == STANDING;
    }

    /// @dev Whether it is live in `batch_` if that is the batch opened last.
    function isLive(AccountWord w, uint256 batch_) internal pure returns (bool) {
        return w.has(STANDING) ? w.stands() : batch_ != 0 && w.batch() == batch_;
    }

    /// @dev Whether the word of an account that is live in a batch settled in chunks is the one after it: that gives it no units, or the
    /// rent mark after the batch if it stands.
    function isDone(AccountWord w, uint256 mark) internal pure returns (bool) {
        return w.stands() ? w.batch() == mark : w.units() == 0;
    }

    /// @dev With another live submission and less cash. Arguments fit their fields.
    function resealed(AccountWord w, uint256 cash_, uint256 batch_, uint256 units_)
        internal
        pure
        returns (AccountWord)
    {
        uint256 kept = AccountWord.unwrap(w) & (0xff << 248 | uint256(type(uint112).max) << 96);
        return AccountWord.wrap(kept | cash_ | batch_ << 208 | units_ << 240);
    }

    /// @dev With less cash and another rent mark.
    function paid(AccountWord w, uint256 cash_, uint256 mark) internal pure returns (AccountWord) {
        return w.resealed(cash_, mark, w.units());
    }

    function flagged(AccountWord w, uint256 flags_) internal pure returns (AccountWord) {
        return AccountWord.wrap(AccountWord.unwrap(w) & (type(uint256).max >> 8) | flags_ << 248);
    }

    /// @dev Reads into `a`, so that a settlement needs no fresh memory for each account.
    function load(Account storage stored, Holding memory a) internal view {
        unchecked {
            a.stored = word(stored);
            uint256 w = AccountWord.unwrap(a.stored);
            a.cash = uint96(w);
            a.home = uint96(w >> 96);
            a.homeProduct = uint16(w >> 192);
            a.batch = uint32(w >> 208);
            a.units = uint8(w >> 240);
            a.flags = w >> 248;
            a.sealHash = stored.sealHash;
        }
    }

    /// @dev All but the seal hash. Fields fit.
    function pack(Holding memory a) internal pure returns (AccountWord) {
        uint256 high = a.homeProduct << 192 | a.batch << 208 | a.units << 240 | a.flags << 248;
        return AccountWord.wrap(high | a.home << 96 | a.cash);
    }
}
