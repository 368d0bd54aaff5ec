// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, Batch, IWalras} from "../interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./AccountWords.sol";
import {BatchWord, BatchWords} from "./BatchWords.sol";
import {Effects} from "./Effects.sol";
import {Market} from "./Market.sol";

/// @dev Writing what a settlement in chunks does to accounts. Deployed by itself and linked.
library Application {
    using AccountWords for Account;
    using BatchWords for Batch;
    using Market for Market.State;

    function applyChunk(
        Market.State storage s,
        uint32 batch_,
        bytes32[] calldata digests,
        uint256 chunk,
        bytes calldata effects
    ) external {
        BatchWord b = s.batch.word();
        if (b.number() != batch_ || b.unapplied() == 0) revert IWalras.NothingToApply(batch_);
        bool known = keccak256(abi.encodePacked(digests)) == s.digests && chunk < digests.length;
        if (!known || keccak256(effects) != digests[chunk]) revert IWalras.WrongEffects(batch_, chunk);
        uint256 count = _write(s, batch_, effects);
        uint256 reward = b.pot() / b.unapplied() * count; // the pot is a multiple of those left
        s.batch.pot = uint96(b.pot() - reward);
        s.batch.unapplied = uint32(b.unapplied() - count);
        emit IWalras.Applied(batch_, msg.sender, chunk, count);
        s.credit(msg.sender, reward);
    }

    /// @return count accounts that had not got their part. The bytes are the settlement's own: nothing is checked again.
    function _write(Market.State storage s, uint256 batch_, bytes calldata effects) private returns (uint256 count) {
        unchecked {
            uint256 mark = s.standing.rentIndex;
            uint256 offset;
            while (offset != effects.length) {
                uint256 head = _word(effects, offset);
                address owner = address(uint160(head >> 96));
                uint256 pairs = (head >> 88) & 127;
                bool changed = (head >> 95) & 1 != 0;
                uint256 pos = offset + Effects.BASE;
                offset = pos + (changed ? Effects.SECOND : 0) + Effects.PAIR * pairs;
                Account storage stored = s.ledger.accounts[owner];
                if (!Market.waits(stored.word(), batch_, mark)) continue;
                ++count;
                stored.set(AccountWord.wrap(_word(effects, pos - 32)));
                if (changed) {
                    stored.sealHash = bytes32(_word(effects, pos));
                    pos += Effects.SECOND;
                }
                for (; pos != offset; pos += Effects.PAIR) {
                    s.ledger.pairs[owner][_word(effects, pos) >> 240] = _word(effects, pos + 2);
                }
            }
        }
    }

    function _word(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }
}
