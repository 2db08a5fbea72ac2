%%% SPDX-License-Identifier: MIT
%%%
%%% When somebody was last there: `mod_last' with `db_type: cloud'.
-module(mod_last_cloud).
-behaviour(mod_last).

-export([init/2, import/2, get_last/2, store_last_info/4, remove_user/2]).

init(_Host, _Options) -> cloud:start().
import(_Server, _Activity) -> pass.

get_last(User, Server) ->
    case cloud:call({last_get, cloud:bare(User, Server)}) of
        {ok, none} -> error;
        {ok, {Seconds, Status}} -> {ok, {Seconds, Status}};
        {error, _} = Error -> Error
    end.

store_last_info(User, Server, Seconds, Status) ->
    cloud:done({last_set, cloud:bare(User, Server), Seconds, Status}).

remove_user(User, Server) -> cloud:done({last_del, cloud:bare(User, Server)}).
