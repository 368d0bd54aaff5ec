// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras} from "../interfaces/IWalras.sol";
import {AccountWord} from "./AccountWords.sol";
import {CHUNK_BYTES, CHUNK_GAS, EFFECT_GAS, FRESH_GAS, PAIR_GAS, SECOND_GAS} from "./Constants.sol";
import {Wire} from "./Wire.sol";

/// @dev What a settlement in chunks does to accounts, each bound by a running hash: of a chunk that writes ahead, for taking it back, of any
/// other for writing it. docs/SPEC.md §10.
///     effect  account(20) | head u16 | word | [second word] | (pair u16 | word) × n      each word of a chunk ahead followed by the one before
///     head    bit 15: second word; bit 14: written ahead; low 7 bits: n
library Effects {
    uint256 internal constant SECOND = 1 << 15;
    uint256 internal constant AHEAD = 1 << 14;
    uint256 internal constant PAIRS = 127; // mask
    uint256 internal constant HEAD_BYTES = 22; // account, head
    uint256 private constant PREFIX = 32 + HEAD_BYTES + 4 * 32; // most before the pairs: digest, head, two words and their former ones
    uint256 private constant ROOM = PREFIX + 64 * 66;

    struct Data {
        uint256 first; // memory address of the pairs of the account at hand, 0: nothing is recorded
        uint256 end; // behind them
        uint256 pairs;
        bool ahead; // words are written too
        uint256 size; // {byte} of all effects
        uint256 gas; // that applying or restoring them takes at most
        bytes32 digest; // 0, then keccak256(digest ‖ effect) for each
    }

    function record(bool ahead) internal pure returns (Data memory e) {
        (uint256 first, uint256 room) = (PREFIX, ROOM);
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(0x40, add(free, room))
            first := add(free, first)
        }
        (e.first, e.end, e.ahead) = (first, first, ahead);
    }

    function pair(Data memory e, uint256 index, uint256 word, uint256 before) internal pure {
        unchecked {
            uint256 pos = e.end;
            ++e.pairs;
            // a word that is zero on either side is written fresh, to apply or to restore it
            bool fresh = Wire.either(before == 0, Wire.both(e.ahead, word == 0));
            e.gas += PAIR_GAS + (fresh ? FRESH_GAS : 0);
            assembly ("memory-safe") {
                mstore(pos, shl(240, index))
                mstore(add(pos, 2), word)
                mstore(add(pos, 34), before)
            }
            e.end = pos + (e.ahead ? 66 : 34);
        }
    }

    /// @dev Completes the effect of an account, after its pairs: it is put in front of them, from their start to its own.
    /// @param before its word so far @param secondBefore likewise, `second` again if it stays
    function complete(
        Data memory e,
        address owner,
        AccountWord word,
        AccountWord before,
        bytes32 second,
        bytes32 secondBefore
    ) internal pure {
        unchecked {
            (uint256 start, bool ahead) = (e.first, e.ahead);
            uint256 head = uint256(uint160(owner)) << 16 | e.pairs;
            uint256 gas = EFFECT_GAS;
            if (second != secondBefore) {
                head |= SECOND;
                gas += SECOND_GAS;
                if (ahead) start = _put(start, secondBefore);
                start = _put(start, second);
            }
            if (ahead) {
                head |= AHEAD;
                start = _put(start, bytes32(AccountWord.unwrap(before)));
            }
            _bind(e, _put(start, bytes32(AccountWord.unwrap(word))), head, gas);
        }
    }

    /// @param start memory address of the first word
    function _bind(Data memory e, uint256 start, uint256 head, uint256 gas) private pure {
        unchecked {
            (uint256 end, bytes32 digest) = (e.end, e.digest);
            assembly ("memory-safe") {
                mstore(sub(start, 32), head)
                mstore(sub(start, 54), digest) // over the ten octets before the account
                digest := keccak256(sub(start, 54), add(sub(end, start), 54))
            }
            uint256 size = e.size + HEAD_BYTES + end - start;
            gas += e.gas;
            (e.digest, e.size, e.gas) = (digest, size, gas);
            (e.end, e.pairs) = (e.first, 0);
            if (Wire.both(size <= CHUNK_BYTES, gas <= CHUNK_GAS)) return;
            revert IWalras.ChunkTooLarge(size, gas);
        }
    }

    function _put(uint256 end, bytes32 word) private pure returns (uint256 start) {
        unchecked {
            start = end - 32;
            assembly ("memory-safe") {
                mstore(start, word)
            }
        }
    }
}
