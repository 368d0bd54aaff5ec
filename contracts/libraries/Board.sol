// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IWalras, Product} from "../interfaces/IWalras.sol";
import {PRICE_BOUND} from "./Constants.sol";
import {ProductWords} from "./ProductWords.sol";

/// @dev A product in a settlement: its posted price and what the batch adds up to at it.
struct Line {
    uint256 id;
    int256 price; // {cash X84 / lot}
    uint256 tick; // {cash X40 / lot}
    int256 demand; // {lot X44} z
    uint256 tolerance; // {ulp} c
    uint256 gross; // {ulp} C
    uint256 volume; // {lot X44} bought
    bool used;
    Product product;
}

/// @dev The posted products of a settlement, found by id.
library Board {
    using ProductWords for Product;

    struct Data {
        Line[] lines;
        Line[] places; // product id -> its line, at address 0 if not posted
        Line none; // none of them: a {Line} variable has to begin somewhere, or memory is allocated
    }

    function build(
        mapping(uint256 => Product) storage products,
        uint256 count,
        uint16[] calldata ids,
        int256[] calldata prices
    ) internal view returns (Data memory board) {
        if (ids.length != prices.length) {
            revert IWalras.LengthMismatch(ids.length, prices.length);
        }
        board.lines = new Line[](ids.length);
        board.places = _none(count);
        uint256 next;
        for (uint256 i; i < ids.length; ++i) {
            uint16 id = ids[i];
            int256 price = prices[i];
            if (id < next) revert IWalras.ProductsNotAscending(id);
            if (id >= count) revert IWalras.UnknownProduct(id);
            if (price >= PRICE_BOUND || price <= -PRICE_BOUND) revert IWalras.PriceOutOfRange(id, price);
            next = uint256(id) + 1;
            Line memory line = board.lines[i];
            line.id = id;
            line.price = price;
            products[id].load(line.product);
            line.tick = tickUp(line.product);
            board.places[id] = line;
        }
    }

    /// @return places at address 0: lines of their own would cost memory
    function _none(uint256 count) private pure returns (Line[] memory places) {
        uint256[] memory zeros = new uint256[](count);
        assembly ("memory-safe") {
            places := zeros
        }
    }

    /// @return tick {cash X40 / lot} scale·tickBps/10^4, up
    function tickUp(Product memory p) internal pure returns (uint256 tick) {
        unchecked {
            return (((uint256(p.scale) << 16) * p.tickBps) + 9_999) / 10_000;
        }
    }
}
