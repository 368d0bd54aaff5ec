// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VoidReason} from "../interfaces/IWalras.sol";

/// @dev {VoidReason} as plain numbers inside a settlement: the compiler checks the range of an enum wherever it looks at one.
library Reasons {
    uint256 internal constant NONE = uint256(VoidReason.NONE);
    uint256 internal constant UNOPENED = uint256(VoidReason.UNOPENED);
    uint256 internal constant MALFORMED = uint256(VoidReason.MALFORMED);
    uint256 internal constant OVERSIZED = uint256(VoidReason.OVERSIZED);
    uint256 internal constant EXPIRED = uint256(VoidReason.EXPIRED);
    uint256 internal constant UNCOVERED = uint256(VoidReason.UNCOVERED);
    uint256 internal constant RENT = uint256(VoidReason.RENT);
}
