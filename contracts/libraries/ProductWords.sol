// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Product} from "../interfaces/IWalras.sol";

/// @dev The word of a {Product}: from the low end house u96 | referencePrice u80 | scale u56 | tickBps u8 | depthLog2 u8 | houseLog2 u8.
/// A settlement reads and writes it for every product it touches, so it does so whole; the compiler would go field by field.
library ProductWords {
    function load(Product storage stored, Product memory p) internal view {
        uint256 word;
        assembly ("memory-safe") {
            word := sload(stored.slot)
        }
        p.house = uint96(word);
        p.referencePrice = uint80(word >> 96);
        p.scale = uint56(word >> 176);
        p.tickBps = uint8(word >> 232);
        p.depthLog2 = uint8(word >> 240);
        p.houseLog2 = uint8(word >> 248);
    }

    function save(Product storage stored, Product memory p) internal {
        uint256 word = uint256(p.house) | uint256(p.referencePrice) << 96 | uint256(p.scale) << 176;
        word |= uint256(p.tickBps) << 232 | uint256(p.depthLog2) << 240 | uint256(p.houseLog2) << 248;
        assembly ("memory-safe") {
            sstore(stored.slot, word)
        }
    }
}
