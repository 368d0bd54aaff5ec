// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Product} from "../interfaces/IWalras.sol";

/// @dev The word of a {Product}: from the low end house u96 | referencePrice u80 | scale u56 | tickBps u8 | depthLog2 u8 | houseLog2 u8.
type ProductWord is uint256;

using {
    ProductWords.house,
    ProductWords.referencePrice,
    ProductWords.scale,
    ProductWords.tickBps,
    ProductWords.depthLog2,
    ProductWords.houseLog2,
    ProductWords.settled
} for ProductWord global;

/// @dev A settlement reads and writes this word for every product it touches, so it does so whole; the compiler would go field by field.
library ProductWords {
    function word(Product storage stored) internal view returns (ProductWord w) {
        assembly ("memory-safe") {
            w := sload(stored.slot)
        }
    }

    function set(Product storage stored, ProductWord w) internal {
        assembly ("memory-safe") {
            sstore(stored.slot, w)
        }
    }

    function house(ProductWord w) internal pure returns (uint256) {
        return uint96(ProductWord.unwrap(w));
    }

    function referencePrice(ProductWord w) internal pure returns (uint256) {
        return uint80(ProductWord.unwrap(w) >> 96);
    }

    function scale(ProductWord w) internal pure returns (uint256) {
        return uint56(ProductWord.unwrap(w) >> 176);
    }

    function tickBps(ProductWord w) internal pure returns (uint256) {
        return uint8(ProductWord.unwrap(w) >> 232);
    }

    function depthLog2(ProductWord w) internal pure returns (uint256) {
        return uint8(ProductWord.unwrap(w) >> 240);
    }

    function houseLog2(ProductWord w) internal pure returns (uint256) {
        return ProductWord.unwrap(w) >> 248;
    }

    /// @dev With another house and reference. Arguments fit their fields.
    function settled(ProductWord w, uint256 house_, uint256 referencePrice_) internal pure returns (ProductWord) {
        return ProductWord.wrap(ProductWord.unwrap(w) >> 176 << 176 | referencePrice_ << 96 | house_);
    }
}
