// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Account, IWalras, Product, Treasury, VoidReason} from "../interfaces/IWalras.sol";
import {AccountWords} from "./AccountWords.sol";
import {Board} from "./Board.sol";
import {Certificate} from "./Certificate.sol";
import {CASH, ITEM_HEAD, UNIT_BYTES} from "./Constants.sol";
import {Ledger} from "./Ledger.sol";
import {Seal} from "./Seal.sol";
import {Reading, Submission} from "./Submission.sol";

/// @dev The pass over a batch: open, decode, status, trade, certificate. Deployed by itself and linked, to keep Walras below the code size limit;
/// everything else about a settlement (phase, caller, reward) is decided before and after it in Walras.
library Settlement {
    using Ledger for Ledger.Data;
    using AccountWords for Account;

    /// @dev What lock-out fixed.
    struct Terms {
        uint32 batch;
        bytes32 id;
        uint256 secret;
        uint256 lockOut; // {s}
        uint256 productCount;
        uint32 live;
    }

    struct Tally {
        uint256 listed;
        uint32 voids;
        int256 cash; // {cash X40} received by accounts
        uint256 slopes; // for [C-3]
    }

    function run(
        Ledger.Data storage ledger,
        mapping(uint256 => Product) storage products,
        Treasury storage treasury,
        Terms calldata terms,
        uint16[] calldata ids,
        int256[] calldata prices,
        bytes calldata submissions
    ) external {
        Board.Data memory board = Board.build(products, terms.productCount, ids, prices);
        Tally memory tally = _accounts(ledger, board, terms, submissions);
        if (tally.listed != terms.live) revert IWalras.LiveCountMismatch(tally.listed, terms.live);

        (uint256 squares, uint256 misses, uint256 volumes, int256 short) = Certificate.close(board, products);
        // [C-2] the accounts' ulps and the maker's cash are the house's, so that cash sums to zero exactly
        int256 cash = int256(uint256(treasury.houseCash)) - tally.cash;
        if (cash < 0 || cash > int256(uint256(type(uint96).max))) revert IWalras.HouseShort(CASH, cash);
        treasury.houseCash = uint96(uint256(cash));
        treasury.shortHouses = uint16(uint256(int256(uint256(treasury.shortHouses)) + short));

        uint256[] memory bought = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            bought[i] = board.lines[i].volume;
        }
        uint256 loss = Certificate.lossUp(tally.slopes, squares);
        uint256 freedom = Certificate.freedomUp(misses, volumes);
        emit IWalras.Settled(terms.batch, msg.sender, ids, prices, bought, terms.live, tally.voids, loss, freedom);
    }

    function _accounts(Ledger.Data storage ledger, Board.Data memory board, Terms calldata terms, bytes calldata data)
        private
        returns (Tally memory tally)
    {
        uint256 buffer = Seal.allocate(UNIT_BYTES * type(uint8).max);
        Reading memory r = Submission.reserve(board.lines.length);
        Account memory a;
        uint256 last;
        uint256 offset;
        while (offset != data.length) {
            (address owner, bytes calldata ct) = _item(data, offset);
            if (uint160(owner) <= last) revert IWalras.AccountsNotAscending(owner);
            last = uint160(owner);
            unchecked {
                offset += ITEM_HEAD + ct.length;
            }

            ledger.accounts[owner].load(a);
            if (a.batch != terms.batch) revert IWalras.AccountNotLive(owner);
            VoidReason reason = _open(r, board, terms, buffer, owner, a, ct);
            if (reason == VoidReason.NONE && r.validUntil != 0 && r.validUntil < terms.lockOut) {
                reason = VoidReason.EXPIRED;
            }
            if (reason == VoidReason.NONE) reason = ledger.cover(owner, a, r);
            unchecked {
                ++tally.listed;
                if (reason != VoidReason.NONE) {
                    ++tally.voids;
                    emit IWalras.Voided(terms.batch, owner, reason);
                    continue;
                }
                tally.cash += r.cash;
                tally.slopes += r.loss;
            }
            Certificate.add(r);
            ledger.trade(owner, a, r);
        }
    }

    /// @dev Account and ciphertext at an offset of the submissions.
    function _item(bytes calldata data, uint256 offset) private pure returns (address owner, bytes calldata ct) {
        unchecked {
            uint256 left = data.length - offset;
            uint256 head;
            assembly ("memory-safe") {
                head := calldataload(add(data.offset, offset))
            }
            uint256 length = uint16(head >> 80);
            if (left < ITEM_HEAD + length) revert IWalras.TruncatedData();
            owner = address(uint160(head >> 96));
            assembly ("memory-safe") {
                ct.offset := add(add(data.offset, offset), ITEM_HEAD)
                ct.length := length
            }
        }
    }

    function _open(
        Reading memory r,
        Board.Data memory board,
        Terms calldata terms,
        uint256 buffer,
        address owner,
        Account memory a,
        bytes calldata ct
    ) private pure returns (VoidReason) {
        if (ct.length > UNIT_BYTES * type(uint8).max) revert IWalras.WrongCiphertext(owner); // longer than any seal, and than the buffer
        (uint256 pos, bytes32 hash) = Seal.load(buffer, terms.id, ct);
        if (hash != a.sealHash) revert IWalras.WrongCiphertext(owner);
        uint256 body = Seal.open(buffer, pos, ct.length, terms.id, terms.secret, owner);
        if (body == 0) return VoidReason.UNOPENED;
        return Submission.read(r, board, body, pos + ct.length, ct.length, a.units);
    }
}
