// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Batch} from "../interfaces/IWalras.sol";

/// @dev Reads and writes the two hot structs a whole word at a time; the compiler would do it field by field. The layout is the compiler's.
library Words {
    function load(Account storage stored) internal view returns (Account memory a) {
        uint256 word;
        bytes32 sealHash;
        assembly ("memory-safe") {
            word := sload(stored.slot)
            sealHash := sload(add(stored.slot, 1))
        }
        a.cash = uint96(word);
        a.home = uint96(word >> 96);
        a.homeProduct = uint16(word >> 192);
        a.batch = uint32(word >> 208);
        a.units = uint8(word >> 240);
        a.flags = uint8(word >> 248);
        a.sealHash = sealHash;
    }

    /// @dev Writes all but the seal hash.
    function save(Account storage stored, Account memory a) internal {
        uint256 word = uint256(a.cash) | (uint256(a.home) << 96) | (uint256(a.homeProduct) << 192) | (uint256(a.batch) << 208)
            | (uint256(a.units) << 240) | (uint256(a.flags) << 248);
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }

    function load(Batch storage stored) internal view returns (Batch memory b) {
        uint256 word;
        assembly ("memory-safe") {
            word := sload(stored.slot)
        }
        b.number = uint32(word);
        b.live = uint32(word >> 32);
        b.units = uint16(word >> 64);
        b.settled = (word >> 80) & 1 != 0;
        b.closed = (word >> 88) & 1 != 0;
        b.pot = uint96(word >> 96);
    }

    function save(Batch storage stored, Batch memory b) internal {
        uint256 word = uint256(b.number) | (uint256(b.live) << 32) | (uint256(b.units) << 64) | (uint256(b.settled ? 1 : 0) << 80)
            | (uint256(b.closed ? 1 : 0) << 88) | (uint256(b.pot) << 96);
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }
}
