// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Run} from "../interfaces/IWalras.sol";
import {Holding} from "./AccountWords.sol";
import {Line} from "./Board.sol";
import {CASH, LOT_BITS} from "./Constants.sol";
import {Curve} from "./Curve.sol";
import {Ledger} from "./Ledger.sol";
import {Submission} from "./Submission.sol";
import {Wire} from "./Wire.sol";
import {Work} from "./Work.sol";

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
    /// @param body memory address of the body @param progress of its progress, behind it
    /// @return rests whether it was one of these and has no fill
    /// @return moves whether it traded: its new progress lies behind the body. If neither, nothing has changed
    function trade(Work memory w, uint256 body, uint256 progress) internal pure returns (bool rests, bool moves) {
        unchecked {
            Holding memory a = w.account;
            uint256 head = Wire.load(body);
            uint256 id = (head >> 184) & type(uint16).max;
            // over before this batch; 0, never, is the largest of all
            bool over = ((head >> 208) & type(uint40).max) - 1 < w.terms.lockOut - 1;
            bool other = Wire.either(head & SHAPE_MASK != SHAPE, a.homeProduct != id + 1);
            bool sells = Wire.octet(head, SELLS) != 0;
            bool twoSided = Wire.both(sells, Wire.octet(head, BUYS) != 0);
            if (Wire.either(Wire.either(other, over), twoSided)) return (false, false);
            (Line memory line, Line[] memory places, bool posted) = (w.board.none, w.board.places, false);
            assembly ("memory-safe") {
                // address 0 if there is none
                line := mul(lt(id, mload(places)), mload(add(add(places, 32), shl(5, id))))
                posted := gt(line, 0)
            }
            if (!posted) return (false, false);
            Curve.Data memory c = w.reading.curve;
            (uint256 rate, uint256 left) = _demand(c, body + LIMITS, progress, head, line);
            // rules 9 and 10
            bool lacks = Wire.both(sells, left > a.home);
            bool owes = Wire.both(c.bid > 0, Submission.valueUp(uint256(c.bid), left) > a.cash);
            if (Wire.either(left == 0, Wire.either(lacks, owes))) return (false, false);

            Run memory run = w.run;
            line.used = true;
            line.gross += 2; // |w| + 1
            if (c.sloped) {
                line.tolerance += 2;
                run.slopes += c.loss;
            }
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
            return (false, true);
        }
    }

    /// @dev The one side as a buyer's, for whom a seller is one of (-price, -pi); `bid` becomes its first price.
    /// @param limits memory address of limits or curve
    /// @return rate {lot X44} demanded
    /// @return left {lot X44} the most it can be, by widths and limit; 0 for what this way does not take: a curve that falls too low at
    /// this tick, a limit that ends
    function _demand(Curve.Data memory c, uint256 limits, uint256 progress, uint256 head, Line memory line)
        private
        pure
        returns (uint256 rate, uint256 left)
    {
        unchecked {
            (uint256 buys, uint256 sells) = (Wire.octet(head, BUYS), Wire.octet(head, SELLS));
            uint256 curve = limits + Submission.LIMIT_BYTES * Wire.octet(head, FLAGS);
            int256 sign = Wire.sign(sells != 0);
            int256 first = (int256(Wire.load(curve)) >> 128) * sign;
            int256 pi = line.price * sign;
            int256 last = first << LOT_BITS;
            (c.bid, c.sloped) = (first, false);
            if (last < pi) {
                (left, last) = Curve.beyond(curve + Curve.FIRST_BYTES, buys + sells, first, line.tick);
            } else {
                c.loss = 0;
                (rate, left, last) = Curve.side(c, curve + Curve.FIRST_BYTES, buys + sells, last - pi, 1, line.tick);
                last += pi;
            }
            if (last < Curve.LAST_PRICE) return (0, 0);
            left <<= LOT_BITS;
            if (curve != limits) {
                // the widths are no less than the rate: one below what the limit leaves is never cut, any other is cut to that and ends
                uint256 bound = Wire.load(limits) >> uint256(184 - 24 * sign); // of buying at bit 160, of selling at 208
                uint256 most =
                    ((bound & type(uint48).max) << LOT_BITS) - uint256((int256(Wire.load(progress)) >> 128) * sign);
                if (rate >= most) return (0, 0);
                if (left > most) left = most;
            }
        }
    }
}
