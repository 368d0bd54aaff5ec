// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras} from "../interfaces/IWalras.sol";
import {AccountWord} from "./AccountWords.sol";
import {CHUNK_BYTES, CHUNK_GAS, EFFECT_GAS, FRESH_GAS, PAIR_GAS, SECOND_GAS} from "./Constants.sol";

/// @dev What a settlement does to accounts: written at once, or recorded to be written by others. docs/SPEC.md §10.
///     effect  account(20) | head u8 (bit 7: second word follows; low 7 bits: pair words) | word | [second word] | (pair u16 | word) × n
library Effects {
    uint256 internal constant BASE = 53; // {byte} account, head, word
    uint256 internal constant SECOND = 32;
    uint256 internal constant PAIR = 34;
    uint256 private constant LONGEST = 4_096; // no effect is longer

    struct Data {
        uint256 start; // memory address of the first, 0: nothing is recorded
        uint256 end; // behind the last
        uint256 pairs; // of the account being recorded
        uint256 gas; // that applying them takes at most
    }

    /// @dev To be called last: memory behind it costs as if the room were used.
    function record() internal pure returns (Data memory e) {
        uint256 start;
        assembly ("memory-safe") {
            start := mload(0x40)
            mstore(0x40, add(start, add(CHUNK_BYTES, LONGEST)))
        }
        (e.start, e.end) = (start, start);
    }

    function pair(Data memory e, uint256 index, uint256 word, bool fresh) internal pure {
        unchecked {
            uint256 pos = e.end + BASE + SECOND + PAIR * e.pairs++;
            e.gas += PAIR_GAS + (fresh ? FRESH_GAS : 0);
            assembly ("memory-safe") {
                mstore(pos, shl(240, index))
                mstore(add(pos, 2), word)
            }
        }
    }

    /// @dev Completes the effect of an account, after its pairs.
    function complete(Data memory e, address owner, AccountWord word, bool changed, bytes32 second) internal pure {
        unchecked {
            uint256 pos = e.end;
            uint256 size = PAIR * e.pairs;
            uint256 head = e.pairs | (changed ? 128 : 0);
            assembly ("memory-safe") {
                mstore(pos, or(shl(96, owner), shl(88, head)))
                mstore(add(pos, 21), word)
                switch changed
                case 0 { mcopy(add(pos, BASE), add(pos, add(BASE, SECOND)), size) }
                default { mstore(add(pos, BASE), second) }
            }
            e.end = pos + BASE + (changed ? SECOND : 0) + size;
            e.gas += EFFECT_GAS + (changed ? SECOND_GAS : 0);
            e.pairs = 0;
            if (e.end - e.start > CHUNK_BYTES || e.gas > CHUNK_GAS) {
                revert IWalras.ChunkTooLarge(e.end - e.start, e.gas);
            }
        }
    }

    function digest(Data memory e) internal pure returns (bytes32 h) {
        (uint256 start, uint256 end) = (e.start, e.end);
        assembly ("memory-safe") {
            h := keccak256(start, sub(end, start))
        }
    }
}
