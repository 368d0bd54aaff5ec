// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Packed big endian fields in memory, and what the compiler has no cheap word for.
library Wire {
    uint256 internal constant TERM_BYTES = 4;

    /// @return word the 32 bytes at a memory address
    function load(uint256 pos) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(pos)
        }
    }

    /// @return field byte i of a word, from the high end
    function octet(uint256 word, uint256 i) internal pure returns (uint256 field) {
        assembly ("memory-safe") {
            field := byte(i, word)
        }
    }

    /// @dev A leg of an auth or a term of a cost: index u8 ‖ factor i24.
    function term(uint256 pos) internal pure returns (uint256 index, int256 factor) {
        unchecked {
            uint256 word = load(pos);
            return (word >> 248, int256(word << 8) >> 232);
        }
    }

    function abs(int256 x) internal pure returns (uint256) {
        unchecked {
            return uint256(x < 0 ? -x : x);
        }
    }

    /// @return s -1 or 1
    function sign(bool negative) internal pure returns (int256 s) {
        assembly ("memory-safe") {
            s := sub(1, shl(1, negative))
        }
    }

    function min(int256 x, int256 y) internal pure returns (int256 z) {
        assembly ("memory-safe") {
            z := xor(y, mul(xor(x, y), slt(x, y)))
        }
    }

    function max(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := xor(y, mul(xor(x, y), gt(x, y)))
        }
    }

    /// @return y x, or 0 if it is below
    function positive(int256 x) internal pure returns (uint256 y) {
        assembly ("memory-safe") {
            y := mul(x, sgt(x, 0))
        }
    }

    /// @dev a || b for conditions cheaper than a jump.
    function either(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := or(a, b)
        }
    }

    /// @dev The same for a && b.
    function both(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := and(a, b)
        }
    }

    /// @dev Writes zeros.
    function clear(uint256 pos, uint256 size) internal pure {
        assembly ("memory-safe") {
            calldatacopy(pos, calldatasize(), size)
        }
    }
}
