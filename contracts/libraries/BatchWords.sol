// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Batch} from "../interfaces/IWalras.sol";

/// @dev The word of a {Batch}: from the low end
/// number u32 | live u32 | units u32 | ticks u8 | settled u8 | closed u8 | pot u96 | unapplied u32.
type BatchWord is uint256;

using {
    BatchWords.number,
    BatchWords.live,
    BatchWords.units,
    BatchWords.ticks,
    BatchWords.settled,
    BatchWords.closed,
    BatchWords.pot,
    BatchWords.unapplied,
    BatchWords.filled
} for BatchWord global;

/// @dev Every seal touches this word, so it is read and written whole; the compiler would go field by field.
library BatchWords {
    function word(Batch storage stored) internal view returns (BatchWord w) {
        assembly ("memory-safe") {
            w := sload(stored.slot)
        }
    }

    function set(Batch storage stored, BatchWord w) internal {
        assembly ("memory-safe") {
            sstore(stored.slot, w)
        }
    }

    function number(BatchWord w) internal pure returns (uint256) {
        return uint32(BatchWord.unwrap(w));
    }

    function live(BatchWord w) internal pure returns (uint256) {
        return uint32(BatchWord.unwrap(w) >> 32);
    }

    function units(BatchWord w) internal pure returns (uint256) {
        return uint32(BatchWord.unwrap(w) >> 64);
    }

    function ticks(BatchWord w) internal pure returns (uint256) {
        return uint8(BatchWord.unwrap(w) >> 96);
    }

    function settled(BatchWord w) internal pure returns (bool) {
        return BatchWord.unwrap(w) >> 104 & 1 != 0;
    }

    function closed(BatchWord w) internal pure returns (bool) {
        return BatchWord.unwrap(w) >> 112 & 1 != 0;
    }

    function pot(BatchWord w) internal pure returns (uint256) {
        return BatchWord.unwrap(w) >> 120 & type(uint96).max;
    }

    function unapplied(BatchWord w) internal pure returns (uint256) {
        return BatchWord.unwrap(w) >> 216;
    }

    /// @dev A batch that takes seals. Arguments fit their fields.
    function opened(uint256 number_, uint256 live_, uint256 units_, uint256 ticks_) internal pure returns (BatchWord) {
        return BatchWord.wrap(number_ | live_ << 32 | units_ << 64 | ticks_ << 96);
    }

    /// @dev The same with other accounts in it, as long as it is not settled. What is written ahead stays counted: in a void batch people leave.
    function filled(BatchWord w, uint256 live_, uint256 units_, uint256 pot_) internal pure returns (BatchWord) {
        uint256 unapplied_ = uint256(type(uint32).max) << 216;
        uint256 kept = BatchWord.unwrap(w) & (type(uint32).max | uint256(type(uint24).max) << 96 | unapplied_);
        return BatchWord.wrap(kept | live_ << 32 | units_ << 64 | pot_ << 120);
    }
}
