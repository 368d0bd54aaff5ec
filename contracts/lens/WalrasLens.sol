// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Account,
    Amendment,
    Batch,
    IWalras,
    Listing,
    Parameters,
    Phase,
    Product,
    Standing,
    Treasury
} from "../interfaces/IWalras.sol";
import {AccountWords} from "../libraries/AccountWords.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

/// @notice A product, or cash, as a wallet needs it.
struct AssetView {
    uint16 id;
    Listing listing;
    Product product;
    string symbol;
    uint8 decimals;
    /// trades in the current batch
    bool active;
}

/// @notice A market at one block.
struct MarketView {
    uint64 time;
    uint64 blockNumber;
    uint256 chainId;
    Parameters parameters;
    uint32 currentBatch;
    Phase phase;
    bytes32 keyHash;
    Batch batch;
    Phase batchPhase;
    Treasury treasury;
    uint256 leastHouseCash;
    /// {cash X40} of the smallest seal now
    uint256 fee;
    uint256 surcharge;
    AssetView cash;
    AssetView[] products;
}

/// @notice An account at one block.
struct AccountView {
    /// cash net of rent
    Account account;
    /// in the batch opened last, which is unfinished
    bool live;
    bool frozen;
    /// {cash X40}
    uint256 claimable;
    /// {lot X44} ledger by product id
    uint256[] lots;
    /// {base unit} cash first, then by product id
    uint256[] wallet;
    /// {base unit} allowance to the market, cash first
    uint256[] allowance;
}

/// @notice What stands of an account at one block, and of all.
struct StandingView {
    /// all that stand
    Standing all;
    /// {cash X40} rent for a unit and a tick
    uint256 unitRent;
    /// the account's submission stands
    bool stands;
    bool paused;
    bool uncovered;
    /// {unit}
    uint8 units;
    /// {cash X40} not yet taken from its word
    uint256 owed;
    /// sealed in the batch opened last; zero if there is none
    Amendment amendment;
}

/// @title Everything a wallet needs in one call
/// @notice Reads only; holds nothing. Token calls that fail read as zero and empty, so that one bad token hides no other.
contract WalrasLens {
    uint16 private constant CASH = type(uint16).max;
    uint8 private constant LEAST_UNITS = 10;
    uint256 private constant TOKEN_GAS = 200_000; // for one question to a token
    uint256 private constant MOST_BYTES = 256; // read of its answer

    /// @notice The whole market.
    function market(IWalras walras) external view returns (MarketView memory v) {
        v.time = uint64(block.timestamp);
        v.blockNumber = uint64(block.number);
        v.chainId = block.chainid;
        v.parameters = walras.parameters();
        v.currentBatch = walras.currentBatch();
        v.phase = walras.phase(v.currentBatch);
        v.keyHash = walras.keyHash(v.currentBatch);
        v.batch = walras.batch();
        v.batchPhase = walras.phase(v.batch.number);
        v.treasury = walras.treasury();
        v.leastHouseCash = walras.leastHouseCash();
        (v.fee, v.surcharge) = walras.admissionFee(LEAST_UNITS);
        uint16 active = walras.productCount(v.currentBatch);
        v.cash = _asset(walras, CASH, true);
        v.products = new AssetView[](walras.productsListed());
        for (uint16 i; i < v.products.length; ++i) {
            v.products[i] = _asset(walras, i, i < active);
            v.products[i].product = walras.product(i);
        }
    }

    /// @notice One account of it.
    function account(IWalras walras, address owner) external view returns (AccountView memory v) {
        v.account = walras.account(owner);
        Batch memory b = walras.batch();
        v.account.cash = uint96(walras.balanceOf(owner, CASH));
        v.live = _isLive(v.account, b) && b.live != 0 && !b.settled && walras.phase(b.number) != Phase.VOID;
        v.frozen = walras.isFrozen(owner);
        v.claimable = walras.claimable(owner);
        uint256 count = walras.productsListed();
        v.lots = new uint256[](count);
        v.wallet = new uint256[](count + 1);
        v.allowance = new uint256[](count + 1);
        for (uint256 i; i <= count; ++i) {
            uint16 asset = i == 0 ? CASH : uint16(i - 1);
            if (i != 0) v.lots[i - 1] = walras.balanceOf(owner, asset);
            address token = walras.listing(asset).token;
            v.wallet[i] = _number(token, abi.encodeCall(IERC20.balanceOf, (owner)));
            v.allowance[i] = _number(token, abi.encodeCall(IERC20.allowance, (owner, address(walras))));
        }
    }

    /// @notice What stands of it.
    function standing(IWalras walras, address owner) external view returns (StandingView memory v) {
        Account memory a = walras.account(owner);
        v.all = walras.standing();
        v.unitRent = walras.unitRent();
        v.stands = a.flags & AccountWords.STANDING != 0;
        v.paused = a.flags & AccountWords.PAUSED != 0;
        v.uncovered = a.flags & AccountWords.UNCOVERED != 0;
        if (v.stands) v.units = a.units;
        v.owed = walras.rentOwed(owner);
        if (a.flags & AccountWords.AMENDED == 0) return v;
        Amendment memory amendment = walras.amendment(owner);
        if (amendment.batch == walras.batch().number) v.amendment = amendment;
    }

    function _isLive(Account memory a, Batch memory b) private pure returns (bool) {
        if (a.flags & AccountWords.STANDING != 0) return a.flags & AccountWords.PAUSED == 0;
        return a.batch != 0 && a.batch == b.number;
    }

    function _asset(IWalras walras, uint16 id, bool active) private view returns (AssetView memory v) {
        v.id = id;
        v.active = active;
        v.listing = walras.listing(id);
        v.symbol = _text(v.listing.token, abi.encodeCall(IERC20Metadata.symbol, ()));
        uint256 decimals = _number(v.listing.token, abi.encodeCall(IERC20Metadata.decimals, ()));
        v.decimals = decimals > type(uint8).max ? 0 : uint8(decimals);
    }

    /// @dev What a token answers, nothing if it fails. It cannot burn the gas of the others, nor make this pay for an endless answer.
    function _ask(address token, bytes memory question) private view returns (bytes memory answer) {
        assembly ("memory-safe") {
            let success := staticcall(TOKEN_GAS, token, add(question, 32), mload(question), 0, 0)
            let size := mul(success, returndatasize())
            if gt(size, MOST_BYTES) { size := MOST_BYTES }
            answer := mload(0x40)
            mstore(answer, size)
            returndatacopy(add(answer, 32), 0, size)
            mstore(0x40, add(answer, and(add(size, 63), not(31))))
        }
    }

    /// @dev Decoding by hand: try/catch does not catch an answer of another shape.
    function _number(address token, bytes memory question) private view returns (uint256) {
        bytes memory answer = _ask(token, question);
        return answer.length >= 32 ? abi.decode(answer, (uint256)) : 0;
    }

    /// @dev A string, or the bytes32 some old tokens return.
    function _text(address token, bytes memory question) private view returns (string memory) {
        bytes memory answer = _ask(token, question);
        if (answer.length < 32) return "";
        if (answer.length >= 64) {
            (uint256 head, uint256 size) = abi.decode(answer, (uint256, uint256));
            if (head == 32 && size <= answer.length - 64) return abi.decode(answer, (string));
        }
        uint256 length;
        while (length < 32 && answer[length] != 0) {
            ++length;
        }
        bytes memory text = new bytes(length);
        for (uint256 i; i < length; ++i) {
            text[i] = answer[i];
        }
        return string(text);
    }
}
