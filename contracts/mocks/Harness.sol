// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Phase, Product, Timetable, VoidReason} from "../interfaces/IWalras.sol";
import {Board, Line} from "../libraries/Board.sol";
import {Certificate} from "../libraries/Certificate.sol";
import {LOT_BITS, UNIT_BYTES} from "../libraries/Constants.sol";
import {Costs} from "../libraries/Costs.sol";
import {Curve} from "../libraries/Curve.sol";
import {Custody} from "../libraries/Custody.sol";
import {Phases} from "../libraries/Phases.sol";
import {Seal} from "../libraries/Seal.sol";
import {Entry, Input, Reading, Submission} from "../libraries/Submission.sol";

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
    uint256 kind;
    bool complete;
    int256[] progress;
    uint256 costLoss;
    uint256 costSpan;
    int256[] excesses;
    uint256[] slacks;
    bool headed;
}

/// @notice Everything {Submission-read} is given beside the board.
struct Body {
    bytes body;
    uint256 length;
    uint8 units;
    int256[] shadows;
    int256[] done;
}

/// @notice Opens the libraries to tests: the golden vectors run through the very code that settles.
contract Harness {
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
        uint256 source;
        assembly ("memory-safe") {
            source := ct.offset
        }
        uint256 pos = Seal.load(buffer, Seal.TAG_SEAL, id, source, ct.length);
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

    /// @dev Stores the products that {read} prices.
    function list(Product[] calldata products) external {
        for (uint16 i; i < products.length; ++i) {
            _products[i] = products[i];
        }
    }

    /// @dev Reads a body in a market of ids.length listed products.
    function read(Body calldata submission, uint16[] calldata ids, int256[] calldata prices)
        external
        view
        returns (Read memory out)
    {
        Board.Data memory board = Board.build(_products, ids.length, ids, prices);
        Reading memory r;
        return _read(r, board, submission);
    }

    /// @dev Reads two into the same memory. @return out of the second
    function readAfter(Body calldata first, Body calldata second, uint16[] calldata ids, int256[] calldata prices)
        external
        view
        returns (Read memory out)
    {
        Board.Data memory board = Board.build(_products, ids.length, ids, prices);
        Reading memory r;
        Submission.read(r, board, _input(first));
        board = Board.build(_products, ids.length, ids, prices);
        return _read(r, board, second);
    }

    function _read(Reading memory r, Board.Data memory board, Body calldata submission)
        private
        pure
        returns (Read memory out)
    {
        out.reason = VoidReason(Submission.read(r, board, _input(submission)));
        out.gas = r.gas;
        for (uint256 i; i < board.lines.length; ++i) {
            if (board.lines[i].used) out.headed = true;
        }
        if (out.reason != VoidReason.NONE) return out;
        _copy(r, out);
        // as what stands it asks the same
        Input memory input = _input(submission);
        Read memory again;
        (input.known, again.gas, again.headed) = (true, out.gas, out.headed);
        require(Submission.read(r, board, input) == 0, "void if it is known");
        _copy(r, again);
        require(keccak256(abi.encode(again)) == keccak256(abi.encode(out)), "not the same if it is known");
    }

    /// @dev Reverts as a settlement would if the submission trades and a cost does not clear. @return costs that do
    function check(Body calldata submission, uint16[] calldata ids, int256[] calldata prices)
        external
        view
        returns (uint256 costs)
    {
        Board.Data memory board = Board.build(_products, ids.length, ids, prices);
        Reading memory r;
        require(Submission.read(r, board, _input(submission)) == 0, "void");
        Costs.check(r, msg.sender);
        return r.costs;
    }

    /// @return reasons of submissions read one after the other into the same memory
    /// @return gas each spends
    /// @return bounds charged for them
    function readAll(Body[] calldata submissions, uint16[] calldata ids, int256[] calldata prices)
        external
        view
        returns (VoidReason[] memory reasons, uint256[] memory gas, uint256[] memory bounds)
    {
        Board.Data memory board = Board.build(_products, ids.length, ids, prices);
        Reading memory r;
        Input[] memory inputs = new Input[](submissions.length);
        for (uint256 i; i < inputs.length; ++i) {
            inputs[i] = _input(submissions[i]);
        }
        (reasons, gas) = (new VoidReason[](inputs.length), new uint256[](inputs.length));
        bounds = new uint256[](inputs.length);
        for (uint256 i; i < inputs.length; ++i) {
            uint256 left = gasleft();
            reasons[i] = VoidReason(Submission.read(r, board, inputs[i]));
            if (reasons[i] == VoidReason.NONE) Certificate.add(r);
            gas[i] = left - gasleft();
            bounds[i] = r.gas;
        }
    }

    function _input(Body calldata submission) private pure returns (Input memory input) {
        bytes memory packed;
        for (uint256 i; i < submission.shadows.length; ++i) {
            packed = abi.encodePacked(packed, int160(submission.shadows[i]));
        }
        uint256 done = packed.length;
        for (uint256 i; i < submission.done.length; ++i) {
            packed = abi.encodePacked(packed, int128(submission.done[i]));
        }
        uint256 body = packed.length;
        // what lies behind the body must not matter
        packed = abi.encodePacked(packed, submission.body, keccak256(submission.body));
        uint256 from;
        assembly ("memory-safe") {
            from := add(packed, 32)
        }
        (input.pos, input.end) = (from + body, from + body + submission.body.length);
        (input.length, input.units) = (submission.length, submission.units);
        (input.shadows, input.shadowCount) = (from, submission.shadows.length);
        (input.done, input.doneCount) = (from + done, submission.done.length);
    }

    function _copy(Reading memory r, Read memory out) private pure {
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
        (out.kind, out.complete) = (r.kind, r.complete);
        out.progress = new int256[](r.limits);
        for (uint256 i; i < r.limits; ++i) {
            out.progress[i] = r.progress[i];
        }
        (out.costLoss, out.costSpan) = (r.costLoss, r.costSpan);
        out.excesses = new int256[](r.costs);
        out.slacks = new uint256[](r.costs);
        for (uint256 d; d < r.costs; ++d) {
            Costs.Cost memory c = r.coupling.costs[d];
            (out.excesses[d], out.slacks[d]) = (c.excess, c.tolerance);
        }
    }

    /// @param steps packed as in a submission
    function side(bytes calldata steps, int256 first, int256 pi, uint256 window, uint256 least)
        external
        pure
        returns (uint256 rate, uint256 total, uint256 loss, bool sloped, int256 last)
    {
        bytes memory copy = abi.encodePacked(steps, new bytes(32));
        uint256 from;
        assembly ("memory-safe") {
            from := add(copy, 32)
        }
        Curve.Data memory c;
        int256 reach = (first << LOT_BITS) - pi;
        (rate, total, last) = Curve.side(c, from, steps.length / Curve.STEP_BYTES, reach, window, least);
        return (rate, total, c.loss, c.sloped, last + pi);
    }

    function maker(int256 price, Product calldata product) external pure returns (int256) {
        return Certificate.makerDown(_line(price, 0, product));
    }

    function nextReference(int256 price, uint256 volume, Product calldata product) external pure returns (uint80) {
        return Certificate.nextReference(_line(price, volume, product));
    }

    function tick(Product calldata product) external pure returns (uint256) {
        return Board.tickUp(product);
    }

    function lossUp(uint256 slopes, uint256 squares, uint256 costLoss) external pure returns (uint256) {
        return Certificate.lossUp(slopes, squares, costLoss);
    }

    function freedomUp(uint256 misses, uint256 volumes, uint256 costSpan) external pure returns (uint256) {
        return Certificate.freedomUp(misses, volumes, costSpan);
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

    function _line(int256 price, uint256 volume, Product calldata product) private pure returns (Line memory line) {
        (line.price, line.volume, line.product) = (price, volume, product);
    }
}
