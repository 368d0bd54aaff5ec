// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Run} from "../interfaces/IWalras.sol";
import {Holding} from "./AccountWords.sol";
import {Board} from "./Board.sol";
import {Effects} from "./Effects.sol";
import {Input, Reading} from "./Submission.sol";

/// @dev What lock-out fixed.
struct Terms {
    uint256 batch;
    bytes32 id;
    uint256 secret;
    uint256 lockOut; // {s}
    uint256 productCount;
    uint256 live;
    uint256 unapplied; // accounts that a run has written ahead
    bool ahead; // the operator's time: runs write ahead
    uint256 rentIndex; // up to this batch
    uint256 mark; // rent index after it
    uint256 unitRent; // {cash X40 / unit / tick}
}

/// @dev What a pass works on, the item at hand, and room for the next: memory does not grow with them.
struct Work {
    Board.Data board;
    Terms terms;
    Run run;
    Holding account;
    Reading reading;
    Input input;
    Effects.Data effects;
    uint256 buffer;
    address owner;
    uint256 source; // {calldata} of the payload
    uint256 length; // {byte} of it
    uint256 next; // {calldata} behind the item
    bool changed; // the account's word
}
