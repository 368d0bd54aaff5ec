// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, Phase, Timetable} from "../interfaces/IWalras.sol";

/// @dev Phases as a pure function of time and two facts. docs/SPEC.md §5.
library Phases {
    uint256 internal constant MAX_PERIOD = 30 days;

    function validate(Timetable memory t, uint256 blockTime) internal pure {
        uint256 least = 2 * blockTime;
        if (blockTime == 0) revert IWalras.BadParameter("blockTime", blockTime);
        if (t.genesis == 0 || t.genesis > type(uint48).max) revert IWalras.BadParameter("genesis", t.genesis);
        if (t.lockIn < least) revert IWalras.BadParameter("lockIn", t.lockIn);
        if (t.lockOut < t.lockIn + least) revert IWalras.BadParameter("lockOut", t.lockOut);
        if (t.revealFrom < t.lockOut + least) revert IWalras.BadParameter("revealFrom", t.revealFrom);
        if (t.keyDeadline < t.revealFrom + least) revert IWalras.BadParameter("keyDeadline", t.keyDeadline);
        if (t.exclusiveUntil < t.keyDeadline + least) revert IWalras.BadParameter("exclusiveUntil", t.exclusiveUntil);
        if (t.deadline < t.exclusiveUntil + least) revert IWalras.BadParameter("deadline", t.deadline);
        if (t.period < t.deadline || t.period > MAX_PERIOD) revert IWalras.BadParameter("period", t.period);
    }

    /// @return batch owning `time`, 0 before the first
    function current(Timetable memory t, uint256 time) internal pure returns (uint32 batch) {
        return time < t.genesis ? 0 : uint32((time - t.genesis) / t.period);
    }

    function start(Timetable memory t, uint32 batch) internal pure returns (uint256) {
        return t.genesis + uint256(batch) * t.period;
    }

    /// @dev Phase of an unsettled batch with an unleaked key.
    function phaseAt(Timetable memory t, uint32 batch, uint256 time, bool published) internal pure returns (Phase) {
        uint256 from = start(t, batch);
        if (batch == 0) return Phase.VOID;
        if (time < from) return Phase.PENDING;
        time -= from;
        if (time < t.lockIn) return Phase.OPEN;
        if (time < t.lockOut) return Phase.LOCKED_IN;
        if (time < t.revealFrom) return Phase.LOCKED_OUT;
        if (!published) return time < t.keyDeadline ? Phase.REVEAL : Phase.VOID;
        if (time < t.exclusiveUntil) return Phase.CLEARING;
        return time < t.deadline ? Phase.FALLBACK : Phase.VOID;
    }
}
