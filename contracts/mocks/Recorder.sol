// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountWord} from "../libraries/AccountWords.sol";
import {Effects} from "../libraries/Effects.sol";

/// @notice Opens the recording of effects to tests.
contract Recorder {
    using Effects for Effects.Data;

    /// @dev `count` accounts, each with `pairs` pair words, of which the first is fresh if so asked. Words before are one more.
    function record(uint256 count, uint256 pairs, bool second, bool fresh, bool ahead)
        external
        pure
        returns (uint256 size, uint256 bound, bytes32 digest)
    {
        Effects.Data memory e = Effects.record(ahead);
        for (uint160 i = 1; i <= count; ++i) {
            for (uint256 k; k < pairs; ++k) {
                e.pair(k, i + k, fresh && k == 0 ? 0 : i + k + 1);
            }
            (bytes32 word, bytes32 before) = (bytes32(uint256(i)), bytes32(uint256(i) + 1));
            e.complete(address(i), AccountWord.wrap(i), AccountWord.wrap(i + 1), word, second ? before : word);
        }
        return (e.size, e.gas, e.digest);
    }
}
