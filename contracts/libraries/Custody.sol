// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, Listing} from "../interfaces/IWalras.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @dev Tokens in and out, and the exact step between base units and ledger units. docs/SPEC.md §7.
library Custody {
    using SafeERC20 for IERC20;

    /// @param amount {base unit} @param bits of the asset's ledger @return ledger {lot X44 or cash X40}
    function take(Listing storage listing, address from, uint256 amount, uint256 bits)
        internal
        returns (uint256 ledger)
    {
        address token = listing.token;
        if (token.code.length == 0) revert IWalras.NoToken(token);
        ledger = toLedgerExact(amount, listing.lot, bits);
        uint256 custody = listing.custody + ledger;
        if (custody > listing.cap) revert IWalras.CapExceeded(custody, listing.cap);
        listing.custody = uint128(custody);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 later = IERC20(token).balanceOf(address(this));
        uint256 received = later > before ? later - before : 0;
        if (received != amount) revert IWalras.WrongTransfer(amount, received);
    }

    /// @param ledger {lot X44 or cash X40} already debited for it
    function give(Listing storage listing, address to, uint256 amount, uint256 ledger) internal {
        if (amount == 0 || to == address(0) || to == address(this)) revert IWalras.BadTransfer();
        listing.custody -= uint128(ledger);
        IERC20(listing.token).safeTransfer(to, amount);
    }

    /// @return {base unit} to send; the maximum stands for all whole ones of `available`
    /// @return ledger units to debit for it, up
    function toPay(Listing storage listing, uint256 bits, uint256 amount, uint256 available)
        internal
        view
        returns (uint256, uint256 ledger)
    {
        if (amount == type(uint256).max) amount = toBaseDown(available, listing.lot, bits);
        ledger = toLedgerUp(amount, listing.lot, bits);
        if (ledger > available) revert IWalras.InsufficientBalance(ledger, available);
        return (amount, ledger);
    }

    function toLedgerExact(uint256 amount, uint256 lot, uint256 bits) internal pure returns (uint256) {
        if (amount == 0 || amount > type(uint128).max) revert IWalras.BadTransfer();
        uint256 scaled = amount << bits;
        if (scaled % lot != 0) {
            uint256 step = lot;
            for (uint256 i; i < bits && step & 1 == 0; ++i) {
                step >>= 1;
            }
            revert IWalras.InexactAmount(amount, amount - (amount % step));
        }
        return scaled / lot;
    }

    function toBaseDown(uint256 ledger, uint256 lot, uint256 bits) internal pure returns (uint256) {
        return (ledger * lot) >> bits;
    }

    function toLedgerUp(uint256 amount, uint256 lot, uint256 bits) internal pure returns (uint256) {
        if (amount > type(uint128).max) revert IWalras.BadTransfer();
        return ((amount << bits) + lot - 1) / lot;
    }
}
