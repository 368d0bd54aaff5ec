// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account} from "../interfaces/IWalras.sol";

/// @dev The first word of an {Account}, as the compiler lays it out: from the low end
/// cash u96 | home u96 | homeProduct u16 | batch u32 | units u8 | flags u8.
type AccountWord is uint256;

using {AccountWords.cash, AccountWords.batch, AccountWords.units, AccountWords.resealed} for AccountWord global;

/// @dev Sealing and settling touch this word for everybody, so it is read and written whole; the compiler would go field by field.
library AccountWords {
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

    function batch(AccountWord w) internal pure returns (uint256) {
        return uint32(AccountWord.unwrap(w) >> 208);
    }

    function units(AccountWord w) internal pure returns (uint256) {
        return uint8(AccountWord.unwrap(w) >> 240);
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

    /// @dev Reads into `a`, so that a settlement needs no fresh memory for each account.
    function load(Account storage stored, Account memory a) internal view {
        uint256 w = AccountWord.unwrap(word(stored));
        a.cash = uint96(w);
        a.home = uint96(w >> 96);
        a.homeProduct = uint16(w >> 192);
        a.batch = uint32(w >> 208);
        a.units = uint8(w >> 240);
        a.flags = uint8(w >> 248);
        a.sealHash = stored.sealHash;
    }

    /// @dev Writes all but the seal hash.
    function save(Account storage stored, Account memory a) internal {
        uint256 high =
            uint256(a.homeProduct) << 192 | uint256(a.batch) << 208 | uint256(a.units) << 240 | uint256(a.flags) << 248;
        set(stored, AccountWord.wrap(high | uint256(a.home) << 96 | a.cash));
    }
}
