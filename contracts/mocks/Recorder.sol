// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccountWord} from "../libraries/AccountWords.sol";
import {Effects} from "../libraries/Effects.sol";

/// @notice Opens the recording of effects to tests.
contract Recorder {
    using Effects for Effects.Data;

    /// @dev `count` accounts, each with `pairs` pair words, of which the first is fresh if so asked.
    function record(uint256 count, uint256 pairs, bool second, bool fresh)
        external
        pure
        returns (uint256 size, uint256 bound, bytes32 digest)
    {
        Effects.Data memory e = Effects.record();
        for (uint160 i = 1; i <= count; ++i) {
            for (uint256 k; k < pairs; ++k) {
                e.pair(k, i + k, fresh && k == 0);
            }
            e.complete(address(i), AccountWord.wrap(i), second, bytes32(uint256(i)));
        }
        return (e.end - e.start, e.gas, e.digest());
    }
}
