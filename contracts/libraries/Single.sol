// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Run} from "../interfaces/IWalras.sol";
import {Holding} from "./AccountWords.sol";
import {Board, Line} from "./Board.sol";
import {CASH, LOT_BITS} from "./Constants.sol";
import {Curve} from "./Curve.sol";
import {Ledger} from "./Ledger.sol";
import {Submission} from "./Submission.sol";
import {Wire} from "./Wire.sol";

/// @dev The short way for the commonest of what stands: one auth on the account's home product. It asks no list of products, legs or
/// balances elsewhere. What is void, what ends and every other shape it leaves to {Submission}, {Ledger} and {Certificate}.
library Single {
    // standing; one product, one auth, no cost, one leg of weight 1: octets 0, 6, 9, 10, 12 and 15 to 18 of the body
    uint256 private constant SHAPE_MASK = uint256(0xff0000000000ff0000ffff00ff0000ffffffff) << 104;
    uint256 private constant SHAPE = uint256(0x01000000000001000001000001000000000001) << 104;
    uint256 private constant FLAGS = 11; // octets
    uint256 private constant BUYS = 13;
    uint256 private constant SELLS = 14;
    uint256 private constant LIMITS = 19; // limits or curve

    /// @dev What stands has held rules 1 to 5 before, with these units: of these, only what new prices and ticks decide is looked at again.
    /// @param c room for a curve
    /// @param a with its cash net of all rent
    /// @param body memory address of the body @param progress of its progress, behind it
    /// @return done whether it was one of these; if not, nothing has changed
    /// @return moved whether it traded: its new progress lies behind the body
    function trade(
        Curve.Data memory c,
        Board.Data memory board,
        Holding memory a,
        Run memory run,
        uint256 body,
        uint256 progress,
        uint256 lockOut
    ) internal pure returns (bool done, bool moved) {
        unchecked {
            uint256 head = Wire.load(body);
            if (head & SHAPE_MASK != SHAPE) return (false, false);
            // not over before this batch; 0, never, is the largest of all
            if (((head >> 208) & type(uint40).max) - 1 < lockOut - 1) return (false, false);
            uint256 id = (head >> 184) & type(uint16).max;
            if (a.homeProduct != id + 1) return (false, false);
            uint256 place = board.places[id];
            if (place == 0) return (false, false);
            Line memory line = board.lines[place - 1];
            (uint256 rate, uint256 left) = _demand(c, body + LIMITS, head, line);
            if (Wire.octet(head, FLAGS) != 0) left = _limited(body + LIMITS, progress, head, rate, left);
            if (left == 0) return (false, false);
            // rules 9 and 10
            bool sells = Wire.octet(head, SELLS) != 0;
            if (sells && left > a.home) return (false, false);
            if (c.bid > 0 && Submission.valueUp(uint256(c.bid), left) > a.cash) return (false, false);

            line.used = true;
            line.gross += 2; // |w| + 1
            run.slopes += c.loss;
            if (c.sloped) line.tolerance += 2;
            if (rate == 0) return (true, false);
            int256 fill = int256(rate);
            if (sells) fill = -fill;
            else line.volume += rate;
            line.demand += fill;
            int256 cash = Submission.payment(line.price, fill);
            run.cash += cash;
            a.home = Ledger.moved(run.last, uint16(line.id), a.home, fill);
            a.cash = Ledger.moved(run.last, CASH, a.cash, cash);
            fill += int256(Wire.load(progress)) >> 128; // of no meaning without limits
            assembly ("memory-safe") {
                mstore(progress, shl(128, fill))
            }
            return (true, true);
        }
    }

    /// @dev The one side as a buyer's, for whom a seller is one of (-price, -pi); `bid` becomes its first price.
    /// @param pos memory address of limits or curve
    /// @return rate {lot X44} demanded
    /// @return left {lot X44} sum of widths; 0 if the curve has two sides, or falls too low at this tick
    function _demand(Curve.Data memory c, uint256 pos, uint256 head, Line memory line)
        private
        pure
        returns (uint256 rate, uint256 left)
    {
        unchecked {
            (uint256 buys, uint256 sells) = (Wire.octet(head, BUYS), Wire.octet(head, SELLS));
            if (buys * sells != 0) return (0, 0);
            pos += Submission.LIMIT_BYTES * Wire.octet(head, FLAGS);
            (int256 first, int256 pi) = (int256(Wire.load(pos)) >> 128, line.price);
            if (sells != 0) (first, pi) = (-first, -pi);
            (c.bid, c.loss, c.sloped) = (first, 0, false);
            int256 last;
            (rate, left, last) = Curve.side(c, pos + Curve.FIRST_BYTES, buys + sells, first, pi, 1, line.tick);
            left = last < Curve.LAST_PRICE ? 0 : left << LOT_BITS;
        }
    }

    /// @dev The widths are no less than the rate: one below what the limit leaves is never cut, and any other is cut to that and ends.
    /// @return most {lot X44} that the limit leaves of so much; 0 if this is the end
    function _limited(uint256 limits, uint256 progress, uint256 head, uint256 rate, uint256 left)
        private
        pure
        returns (uint256 most)
    {
        unchecked {
            uint256 word = Wire.load(limits);
            most = uint256(int256(Wire.load(progress)) >> 128);
            if (Wire.octet(head, SELLS) != 0) most += (word >> 208) << LOT_BITS;
            else most = (((word >> 160) & type(uint48).max) << LOT_BITS) - most;
            if (rate >= most) return 0;
            if (left < most) most = left;
        }
    }
}
