// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, Product} from "../interfaces/IWalras.sol";
import {Board, Line} from "./Board.sol";
import {LOT_BITS} from "./Constants.sol";
import {ProductWord, ProductWords} from "./ProductWords.sol";
import {Entry, Reading} from "./Submission.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev The proof that posted prices are the clearing prices of the book. docs/SPEC.md §6, docs/MATHEMATICS.md.
library Certificate {
    using ProductWords for Product;

    /// @dev Adds a trading submission to the board.
    function add(Reading memory r) internal pure {
        unchecked {
            for (uint256 i; i < r.count; ++i) {
                Entry memory e = r.entries[i];
                Line memory line = e.line;
                line.demand += e.fill;
                line.tolerance += e.tolerance;
                line.gross += e.gross;
                line.volume += e.bought;
            }
        }
    }

    /// @dev [C-1] p is the clearing price iff Σ_j w_jk D_j(π_j) = ε_k (p_k − ref_k) for every k. On the left each sloped D_j is its floor, which takes
    /// less than |w_jk| ulps off a leg; the exact root rounded to X84 moves it by at most half an ulp more (slopes are at most 1/W² per X40 unit, and
    /// π moves by at most W/2): together less than |w_jk| + 1 for each sloped auth, and nothing else. On the right the maker's floor takes less than an ulp
    /// and rounding p less than another. Hence the rounded root always passes, and nothing passes that is further than that from clearing:
    ///     |z_k − maker_k| ≤ c_k + 2
    function excess(Line memory line) internal pure returns (uint256 size) {
        unchecked {
            int256 e = line.demand - makerDown(line);
            size = uint256(e < 0 ? -e : e);
            if (size > line.tolerance + 2) revert IWalras.NotCleared(uint16(line.id), e, line.tolerance + 2);
        }
    }

    /// @return sold {lot X44} by the vanishing maker: 2^-10 lot per 100 % of scale, toward minus infinity.
    /// (p − ref) X84 · 2^34 / (scale X24 · 2^60); |p − ref| < 2^139
    function makerDown(Line memory line) internal pure returns (int256 sold) {
        unchecked {
            int256 distance = line.price - int256(line.word.referencePrice() << LOT_BITS);
            int256 unit = int256(line.word.scale() << 26);
            sold = distance / unit;
            if (distance < 0 && sold * unit != distance) --sold;
        }
    }

    /// @dev [C-3] Welfare lost to rounding is at most the sum of what each participant would gain by moving to its optimum at p (weak duality). An auth on a
    /// slope is less than an ulp 2^-44 short of it: half that squared times its slope. The maker, its floor included, is less than |e_k| + 1 off: (|e_k| + 1)² / (2 ε_k), with 1/(2 ε_k) = scale·2^9.
    ///     loss X40 = Σ slope / 2^89 + Σ_k (|e_k| + 1)² scale_k / 2^63        each rounded up
    function lossUp(uint256 slopes, uint256 squares) internal pure returns (uint256) {
        return Math.ceilDiv(slopes, 1 << 89) + Math.ceilDiv(squares, 1 << 63);
    }

    /// @dev [C-4] Let p, p' both pass, d = p − p'. Demand falls in p, so Σ ε_k d_k² ≤ Σ a_k |d_k| where a_k bounds what both may miss by: the tolerances and the
    /// floors at p and p', together at most 4 (C_k + 2) ulps. Cauchy–Schwarz twice: Σ ε d² ≤ Σ a²/ε and Σ q|d| ≤ √(Σ q²/ε) √(Σ a²/ε).
    ///     freedom X40 = √(Σ a_k² scale_k) · √(Σ q_k² scale_k) / 2^18        each rounded up
    function freedomUp(uint256 misses, uint256 volumes) internal pure returns (uint256) {
        uint256 product = Math.sqrt(misses, Math.Rounding.Ceil) * Math.sqrt(volumes, Math.Rounding.Ceil);
        return Math.ceilDiv(product, 1 << 18);
    }

    /// @dev Next reference: moved toward the price by volume/(volume + depth), at most 0.5 % of scale, within scale/8 … 8·scale.
    /// |p − ref| < 2^139, volume < 2^69 lots
    function nextReference(Line memory line) internal pure returns (uint256) {
        unchecked {
            int256 current = int256(line.word.referencePrice());
            int256 scale = int256(line.word.scale());
            int256 volume = int256(line.volume >> LOT_BITS);
            if (volume == 0) return uint256(current);
            int256 distance = line.price - (current << LOT_BITS);
            int256 move = (distance * volume) / ((volume + int256(1 << line.word.depthLog2())) << LOT_BITS); // toward zero
            int256 most = (scale << 16) / 200;
            if (move > most) move = most;
            if (move < -most) move = -most;
            int256 next = current + move;
            int256 low = scale << 13;
            int256 high = scale << 19;
            return uint256(next < low ? low : next > high ? high : next);
        }
    }

    /// @dev Checks every line and moves house and reference. Sums for [C-3] and [C-4] come back.
    function close(Board.Data memory board, mapping(uint256 => Product) storage products)
        internal
        returns (uint256 squares, uint256 misses, uint256 volumes, int256 short)
    {
        unchecked {
            for (uint256 i; i < board.lines.length; ++i) {
                Line memory line = board.lines[i];
                if (!line.used) revert IWalras.PriceUnused(uint16(line.id));
                uint256 off = excess(line) + 1;
                ProductWord w = line.word;
                // [C-2] the house takes what is left, so that lots sum to zero exactly
                int256 house = int256(w.house()) - line.demand;
                if (house < 0 || house > int256(uint256(type(uint96).max))) {
                    revert IWalras.HouseShort(uint16(line.id), house);
                }
                uint256 least = 1 << (w.houseLog2() + LOT_BITS);
                if (w.house() >= least) {
                    if (uint256(house) < least) ++short;
                } else if (uint256(house) >= least) {
                    --short;
                }
                // off < 2^39, scale ≤ 2^54, gross < 2^40, volume < 2^52 lots
                uint256 scale = w.scale();
                squares += off * off * scale;
                uint256 miss = 4 * (line.gross + 2);
                misses += miss * miss * scale;
                uint256 volume = (line.volume + (1 << LOT_BITS) - 1) >> LOT_BITS;
                volumes += volume * volume * scale;
                products[line.id].set(w.settled(uint256(house), nextReference(line)));
            }
        }
    }
}
