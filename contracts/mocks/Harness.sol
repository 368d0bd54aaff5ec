// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase, Product, Timetable, VoidReason} from "../interfaces/IWalras.sol";
import {Board, Line} from "../libraries/Board.sol";
import {Certificate} from "../libraries/Certificate.sol";
import {UNIT_BYTES} from "../libraries/Constants.sol";
import {Curve} from "../libraries/Curve.sol";
import {Custody} from "../libraries/Custody.sol";
import {Phases} from "../libraries/Phases.sol";
import {ProductWords} from "../libraries/ProductWords.sol";
import {Seal} from "../libraries/Seal.sol";
import {Entry, Reading, Submission} from "../libraries/Submission.sol";

/// @notice What a submission came to, for the golden vectors.
struct Read {
    VoidReason reason;
    uint256 gas;
    uint256 validUntil;
    uint256 cover;
    int256 cash;
    uint256 loss;
    uint16[] products;
    uint256[] covers;
    int256[] fills;
    uint256[] bought;
    uint256[] tolerances;
    uint256[] grosses;
}

/// @notice Opens the libraries to tests: the golden vectors run through the very code that settles.
contract Harness {
    using ProductWords for Product;

    mapping(uint256 id => Product) private _products;

    function batchIdOf(bytes32 tag, uint256 chainId, address market, uint32 number) external pure returns (bytes32) {
        return keccak256(abi.encode(tag, chainId, market, number));
    }

    function sealHash(bytes32 id, bytes calldata ct) external pure returns (bytes32) {
        return Seal.sealHash(id, ct);
    }

    function opensKey(uint256 secret, bytes32 keyHash) external pure returns (bool) {
        return Seal.opensKey(secret, keyHash);
    }

    function onCurve(uint256 x, uint256 y) external pure returns (bool) {
        return Seal.onCurve(x, y);
    }

    /// @return opened whether the ciphertext opens
    /// @return body behind the magic
    function open(bytes32 id, uint256 secret, address account, bytes calldata ct)
        external
        pure
        returns (bool opened, bytes memory body)
    {
        uint256 buffer = Seal.allocate(UNIT_BYTES * type(uint8).max);
        (uint256 pos,) = Seal.load(buffer, id, ct);
        uint256 from = Seal.open(buffer, pos, ct.length, id, secret, account);
        if (from == 0) return (false, "");
        body = new bytes(ct.length - Seal.BODY);
        for (uint256 i; i < body.length; ++i) {
            assembly ("memory-safe") {
                mstore8(add(add(body, 32), i), byte(0, mload(add(from, i))))
            }
        }
        return (true, body);
    }

    /// @dev Reads a body with all products of a market of `count` products priced.
    function read(
        bytes calldata body,
        uint256 length,
        uint8 units,
        Product[] calldata products,
        int256[] calldata prices
    ) external returns (Read memory out) {
        uint16[] memory ids = new uint16[](products.length);
        for (uint16 i; i < products.length; ++i) {
            _products[i] = products[i];
            ids[i] = i;
        }
        return this.readAt(body, length, units, ids, prices);
    }

    function readAt(bytes calldata body, uint256 length, uint8 units, uint16[] calldata ids, int256[] calldata prices)
        external
        view
        returns (Read memory out)
    {
        Board.Data memory board = Board.build(_products, ids.length, ids, prices);
        Reading memory r = Submission.reserve(ids.length);
        bytes memory copy = abi.encodePacked(body, new bytes(64));
        uint256 from;
        assembly ("memory-safe") {
            from := add(copy, 32)
        }
        out.reason = Submission.read(r, board, from, from + body.length, length, units);
        out.gas = r.gas;
        if (out.reason != VoidReason.NONE) return out;
        (out.validUntil, out.cover, out.cash, out.loss) = (r.validUntil, r.cover, r.cash, r.loss);
        out.products = new uint16[](r.count);
        out.covers = new uint256[](r.count);
        out.fills = new int256[](r.count);
        out.bought = new uint256[](r.count);
        out.tolerances = new uint256[](r.count);
        out.grosses = new uint256[](r.count);
        for (uint256 i; i < r.count; ++i) {
            Entry memory e = r.entries[i];
            out.products[i] = uint16(e.line.id);
            out.covers[i] = e.cover;
            out.fills[i] = e.fill;
            out.bought[i] = e.bought;
            out.tolerances[i] = e.tolerance;
            out.grosses[i] = e.gross;
        }
    }

    /// @param steps packed as in a submission
    function side(bytes calldata steps, int256 first, int256 pi, uint256 gross, uint256 tau)
        external
        pure
        returns (Curve.Side memory out)
    {
        bytes memory copy = abi.encodePacked(steps, new bytes(32));
        uint256 from;
        assembly ("memory-safe") {
            from := add(copy, 32)
        }
        Curve.demand(out, from, steps.length / Curve.STEP_BYTES, first, pi, gross, tau);
    }

    function maker(int256 price, Product calldata product) external returns (int256) {
        return Certificate.makerDown(_line(price, 0, product));
    }

    function nextReference(int256 price, uint256 volume, Product calldata product) external returns (uint256) {
        return Certificate.nextReference(_line(price, volume, product));
    }

    function tick(Product calldata product) external returns (uint256) {
        return Board.tickUp(_line(0, 0, product).word);
    }

    /// @return what a settlement leaves of a product, as the compiler reads its word
    function settled(Product calldata product, uint96 house, uint80 referencePrice) external returns (Product memory) {
        _products[0].set(_line(0, 0, product).word.settled(house, referencePrice));
        return _products[0];
    }

    function lossUp(uint256 slopes, uint256 squares) external pure returns (uint256) {
        return Certificate.lossUp(slopes, squares);
    }

    function freedomUp(uint256 misses, uint256 volumes) external pure returns (uint256) {
        return Certificate.freedomUp(misses, volumes);
    }

    function phase(Timetable calldata t, uint32 number, uint256 time, bool published)
        external
        pure
        returns (Phase, uint32)
    {
        return (Phases.phaseAt(t, number, time, published), Phases.current(t, time));
    }

    function toLedgerExact(uint256 amount, uint256 lot, uint256 bits) external pure returns (uint256) {
        return Custody.toLedgerExact(amount, lot, bits);
    }

    function toLedgerUp(uint256 amount, uint256 lot, uint256 bits) external pure returns (uint256) {
        return Custody.toLedgerUp(amount, lot, bits);
    }

    /// @dev The compiler writes the word, the library reads it.
    function _line(int256 price, uint256 volume, Product calldata product) private returns (Line memory line) {
        _products[0] = product;
        (line.price, line.volume, line.word) = (price, volume, _products[0].word());
    }
}
