// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Batch, IWalras, Parameters, Phase} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./AccountWords.sol";
import {BatchWord, BatchWords} from "./BatchWords.sol";
import {Effects} from "./Effects.sol";
import {Market} from "./Market.sol";

/// @dev Writing what a settlement in chunks does to accounts, or taking back what a run wrote ahead. Deployed by itself and linked.
library Application {
    using AccountWords for Account;
    using BatchWords for Batch;
    using Market for Market.State;

    function applyChunk(
        Market.State storage s,
        uint32 batch_,
        bytes32[] calldata digests,
        uint256 chunk,
        bytes calldata effects,
        uint256 most
    ) external {
        BatchWord b = s.batch.word();
        if (b.number() != batch_ || !b.settled() || b.unapplied() == 0) revert IWalras.NothingToApply(batch_);
        uint256 count = _write(s, b, digests, chunk, effects, most);
        emit IWalras.Applied(batch_, msg.sender, chunk, count);
        s.credit(msg.sender, _pay(s, b, count));
    }

    function restoreChunk(
        Market.State storage s,
        Parameters calldata p,
        uint32 batch_,
        bytes32[] calldata digests,
        uint256 chunk,
        bytes calldata effects,
        uint256 most
    ) external {
        BatchWord b = s.batch.word();
        if (b.number() != batch_ || b.settled() || b.unapplied() == 0) revert IWalras.NothingToRestore(batch_);
        bool exclusive = s.phase(p.timetable, batch_) == Phase.CLEARING;
        if (exclusive && msg.sender != p.operator) revert IWalras.NotOperator(msg.sender);
        uint256 count = _write(s, b, digests, chunk, effects, most);
        emit IWalras.Restored(batch_, msg.sender, chunk, count);
        if (!b.closed()) {
            s.batch.unapplied = uint32(b.unapplied() - count); // the pot is the settler's
            return;
        }
        s.credit(msg.sender, _pay(s, b, count));
    }

    /// @dev The pot is a multiple of those left.
    function _pay(Market.State storage s, BatchWord b, uint256 count) private returns (uint256 reward) {
        reward = b.pot() / b.unapplied() * count;
        s.batch.pot = uint96(b.pot() - reward);
        s.batch.unapplied = uint32(b.unapplied() - count);
    }

    /// @dev Of a settled batch what its accounts become, of another what they were. The bytes are the settlement's own: nothing in them is
    /// checked again, and what is written undone by their digest.
    /// @param most accounts to write: whatever opcodes come to cost, a chunk can be written in pieces
    /// @return count accounts that were not so yet
    function _write(
        Market.State storage s,
        BatchWord b,
        bytes32[] calldata digests,
        uint256 chunk,
        bytes calldata effects,
        uint256 most
    ) private returns (uint256 count) {
        unchecked {
            bool back = !b.settled();
            uint256 mark = s.standing.rentIndex + (back ? b.ticks() : 0);
            bytes32 digest;
            uint256 offset;
            while (offset < effects.length) {
                uint256 head = _word(effects, offset) >> 80;
                uint256 size = _size(head);
                if (offset + size > effects.length) break;
                digest = _chained(digest, effects, offset, size);
                if (count < most) {
                    address owner = address(uint160(head >> 16));
                    AccountWord a = s.ledger.accounts[owner].word();
                    if (a.isLive(b.number()) && a.isDone(mark) == back) {
                        ++count;
                        _become(s, owner, head, effects, offset + Effects.HEAD_BYTES, back);
                    }
                }
                offset += size;
            }
            bool known = keccak256(abi.encodePacked(digests)) == s.digests && chunk < digests.length;
            if (!known || offset != effects.length || digest != digests[chunk]) {
                revert IWalras.WrongEffects(uint32(b.number()), chunk);
            }
        }
    }

    /// @param pos of its words @param back whether to write those before
    function _become(
        Market.State storage s,
        address owner,
        uint256 head,
        bytes calldata effects,
        uint256 pos,
        bool back
    ) private {
        unchecked {
            uint256 step = head & Effects.AHEAD != 0 ? 64 : 32;
            uint256 shift = back ? 32 : 0;
            Account storage stored = s.ledger.accounts[owner];
            stored.set(AccountWord.wrap(_word(effects, pos + shift)));
            pos += step;
            if (head & Effects.SECOND != 0) {
                stored.sealHash = bytes32(_word(effects, pos + shift));
                pos += step;
            }
            for (uint256 pairs = head & Effects.PAIRS; pairs != 0; --pairs) {
                s.ledger.pairs[owner][_word(effects, pos) >> 240] = _word(effects, pos + 2 + shift);
                pos += 2 + step;
            }
        }
    }

    /// @return {byte} of an effect
    function _size(uint256 head) private pure returns (uint256) {
        unchecked {
            uint256 step = head & Effects.AHEAD != 0 ? 64 : 32;
            uint256 words = head & Effects.SECOND != 0 ? 2 * step : step;
            return Effects.HEAD_BYTES + words + (head & Effects.PAIRS) * (2 + step);
        }
    }

    function _chained(bytes32 digest, bytes calldata effects, uint256 offset, uint256 size)
        private
        pure
        returns (bytes32 next)
    {
        assembly ("memory-safe") {
            // behind what is allocated: nothing else is, meanwhile
            let free := mload(0x40)
            mstore(free, digest)
            calldatacopy(add(free, 32), add(effects.offset, offset), size)
            next := keccak256(free, add(size, 32))
        }
    }

    function _word(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }
}
